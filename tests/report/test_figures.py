"""What is drawn is checked by its numbers: the pixels of the sheet, the limits of the scale, the data of the lines."""

import gc
import io
import weakref
from itertools import pairwise

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from harmonium.report import (
    before_after,
    confusion,
    fantasies,
    filters,
    image_grid,
    learning_curves,
    mistakes,
    reconstructions,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def sheet(figure):
    (axes,) = figure.axes
    (image,) = axes.images
    return image.get_array().filled(np.nan)


def limits(figure):
    return figure.axes[0].images[0].get_clim()


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def tiles_of(figure, height, width):
    """Cut the sheet at its blank pixels: (rows, columns, H, W), for images without a NaN."""
    pixels = sheet(figure)
    full = np.isfinite(pixels)
    assert full.any(axis=1).sum() % height == 0
    assert full.any(axis=0).sum() % width == 0
    kept = pixels[full.any(axis=1)][:, full.any(axis=0)]
    return kept.reshape(kept.shape[0] // height, height, -1, width).swapaxes(1, 2)


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_every_tile_stands_in_its_place_one_pixel_apart(rng):
    images = rng.random((7, 5, 4))
    pixels = sheet(image_grid(images, columns=3))
    assert pixels.shape == (1 + 3 * 6, 1 + 3 * 5)
    covered = np.zeros(pixels.shape, dtype=bool)
    for number, image in enumerate(images):
        row, column = divmod(number, 3)
        window = np.s_[1 + row * 6 : 6 + row * 6, 1 + column * 5 : 5 + column * 5]
        np.testing.assert_array_equal(pixels[window], image)
        covered[window] = True
    assert np.isnan(pixels[~covered]).all()


def test_the_sheet_as_drawn_has_the_colours_of_its_tiles():
    images = np.zeros((2, 3, 3))
    images[1] = 1.0
    figure = image_grid(images, columns=2)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3]
    box = figure.axes[0].get_window_extent()
    middle = drawn.shape[0] - round((box.y0 + box.y1) / 2)
    black, white = (drawn[middle, round(box.x0 + share * box.width)] for share in (2.5 / 9, 6.5 / 9))
    assert (black == 0).all()
    assert (white == 255).all()


def test_a_pixel_covers_a_whole_number_of_dots(rng):
    figure = image_grid(rng.random((40, 28, 28)), columns=10, title="Digits")
    box, pixels = figure.axes[0].get_window_extent(), sheet(figure)
    assert box.width / pixels.shape[1] == pytest.approx(3.0)
    assert box.height / pixels.shape[0] == pytest.approx(3.0)


@pytest.mark.parametrize("columns", [1, 6, 20])
def test_no_page_is_wider_than_the_report(rng, columns):
    assert image_grid(rng.random((40, 28, 28)), columns=columns).get_figwidth() <= 9.0 + 1e-9


def test_limits_are_those_of_the_data_and_symmetrical_when_signed(rng):
    images = rng.uniform(-3.0, 1.0, (6, 4, 4))
    assert limits(image_grid(images, columns=3)) == (images.min(), images.max())
    low, high = limits(image_grid(images, columns=3, diverging=True))
    assert (low, high) == (-abs(images).max(), abs(images).max())
    assert limits(image_grid(images, columns=3, limits=(-1, 2))) == (-1, 2)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
@pytest.mark.parametrize("diverging", [False, True])
def test_images_without_contrast_still_have_a_scale(value, diverging):
    figure = image_grid(np.full((2, 3, 3), value), columns=2, diverging=diverging)
    low, high = limits(figure)
    assert low < high
    png(figure)


def test_captions_stand_under_their_tiles(rng):
    images = rng.random((5, 6, 6))
    figure = image_grid(images, columns=3, captions=list("abcde"))
    assert words(figure) == list("abcde")
    top, left = 0, 0
    pixels = sheet(figure)
    for number, text in enumerate(figure.axes[0].texts):
        x, y = text.get_position()
        left = round(x - 2.5)
        top = max(t for t in range(round(y)) if np.array_equal(pixels[t : t + 6, left : left + 6], images[number]))
        assert y > top + 5


def test_long_captions_do_not_overlap(rng):
    figure = image_grid(rng.random((6, 8, 8)), columns=3, captions=["automobile → airplane  0.97"] * 6)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts[:3]]
    assert all(first.x1 < second.x0 for first, second in pairwise(boxes))


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((4, 4)), {}, "shape"),
        (np.zeros((0, 4, 4)), {}, "non-empty"),
        (np.zeros((2, 4, 4)), {"captions": ["one"]}, "2 images"),
        (np.zeros((2, 4, 4)), {"columns": 0}, "at least 1"),
    ],
)
def test_grid_refuses_what_it_cannot_draw(images, options, message):
    with pytest.raises(ValueError, match=message):
        image_grid(images, **({"columns": 2} | options))


def test_filters_are_the_strongest_each_on_its_own_scale(rng):
    weights = rng.normal(size=(12, 9)) * np.arange(1, 10) ** 2  # norms grow with the column
    figure = filters(weights, (3, 4), count=4)
    assert limits(figure) == (-1.0, 1.0)
    shown = tiles_of(figure, 3, 4).reshape(-1, 3, 4)
    strongest = weights[:, np.argsort(-np.linalg.norm(weights, axis=0))[:4]].T.reshape(-1, 3, 4)
    np.testing.assert_allclose(shown, strongest / abs(strongest).max(axis=(1, 2), keepdims=True))


def test_filters_of_zeros_and_of_nan_are_drawn():
    weights = np.ones((4, 3))
    weights[:, 1] = 0.0
    weights[2, 2] = np.nan
    pixels = sheet(filters(weights, (2, 2)))
    assert np.nansum(pixels) == 4 + 3
    png(filters(weights, (2, 2)))


def test_filters_name_the_shape_they_want():
    with pytest.raises(ValueError, match=r"\(6, units\)"):
        filters(np.zeros((5, 3)), (2, 3))
    with pytest.raises(ValueError, match="at least one filter, got 0"):
        filters(np.zeros((6, 3)), (2, 3), count=0)


def test_before_and_after_share_one_scale_in_a_column(rng):
    before = rng.normal(size=(6, 30))
    after = before + rng.normal(size=(6, 30)) * np.linspace(0.01, 0.5, 30)
    figure = before_after(before, after, (2, 3), count=14)
    tiles = tiles_of(figure, 2, 3)
    assert tiles.shape == (6, 7, 2, 3)
    change = np.linalg.norm(after - before, axis=0)
    chosen = np.argsort(-change)[:14]
    for place, unit in enumerate(chosen):
        band, column = divmod(place, 7)
        rows = [before[:, unit], after[:, unit], after[:, unit] - before[:, unit]]
        scale = abs(np.array(rows)).max()
        for row, field in enumerate(rows):
            np.testing.assert_allclose(tiles[3 * band + row, column], field.reshape(2, 3) / scale)
    shares = [f"{change[unit] / np.linalg.norm(before[:, unit]):.0%}" for unit in chosen]
    assert [word for word in words(figure) if word.endswith("%")] == shares
    assert [word for word in words(figure) if word in ("before", "after", "difference")] == [
        "before",
        "after",
        "difference",
    ] * 2


def test_a_unit_born_in_fine_tuning_has_no_share():
    assert "new" in words(before_after(np.zeros((4, 1)), np.ones((4, 1)), (2, 2)))
    png(before_after(np.zeros((4, 1)), np.zeros((4, 1)), (2, 2)))


def test_before_and_after_need_the_same_units():
    with pytest.raises(ValueError, match="got 2 and 3"):
        before_after(np.zeros((4, 2)), np.zeros((4, 3)), (2, 2))


def test_reconstructions_stand_under_their_data_on_one_scale(rng):
    data, guess = rng.random((6, 4, 4)), rng.random((6, 4, 4)) * 2
    figure = reconstructions(data, guess, columns=3)
    tiles = tiles_of(figure, 4, 4)
    np.testing.assert_array_equal(tiles[[0, 2]].reshape(-1, 4, 4), data)
    np.testing.assert_array_equal(tiles[[1, 3]].reshape(-1, 4, 4), guess)
    assert limits(figure) == (min(data.min(), guess.min()), max(data.max(), guess.max()))
    assert words(figure) == ["data", "reconstruction"] * 2
    with pytest.raises(ValueError, match="one shape"):
        reconstructions(data, guess[:5])


def test_the_surest_mistakes_come_first(rng):
    images = rng.random((6, 4, 4))
    figure = mistakes(images, [4, 1, 2, 3, 7, 5], [9, 1, 2, 5, 1, 6], [0.7, 0.99, 0.9, 0.98, 0.8, 0.5], count=3)
    assert words(figure) == ["3 → 5  0.98", "7 → 1  0.80", "4 → 9  0.70"]
    np.testing.assert_array_equal(tiles_of(figure, 4, 4)[0], images[[3, 4, 0]])


def test_mistakes_without_any_say_so_and_refuse_uneven_arguments(rng):
    images = rng.random((3, 4, 4))
    figure = mistakes(images, [1, 2, 3], [1, 2, 3], [1, 1, 1])
    assert [text.get_text() for text in figure.texts] == ["No mistakes among 3 cases."]
    with pytest.raises(ValueError, match=r"\(3, 3, 2, 3\)"):
        mistakes(images, [1, 2, 3], [1, 2], [1, 1, 1])


def test_fantasies_run_from_left_to_right(rng):
    samples = rng.random((2, 5, 4, 4))
    figure = fantasies(samples, "Dreams", steps=[1, 10, 100, 1000, 10000])
    np.testing.assert_array_equal(tiles_of(figure, 4, 4), samples)
    assert words(figure) == ["1", "10", "100", "1000", "10000", "steps", "chain 1", "chain 2"]
    assert "digit 2" in words(fantasies(samples, row="digit"))
    assert [text.get_text() for text in figure.texts] == ["Dreams"]


def test_independent_fantasies_make_a_grid(rng):
    samples = rng.random((8, 4, 4))
    np.testing.assert_array_equal(tiles_of(fantasies(samples), 4, 4).reshape(-1, 4, 4), samples)
    with pytest.raises(ValueError, match="frames"):
        fantasies(samples, steps=[1, 2])
    with pytest.raises(ValueError, match="3 frames"):
        fantasies(samples[:6].reshape(2, 3, 4, 4), steps=[1, 2])


def test_curves_have_a_panel_a_metric_and_a_line_a_phase():
    histories = {
        "layer 1": [{"epoch": e, "reconstruction_error": 10.0 / e, "dead": 0.1 / e} for e in (1, 2, 3)],
        "layer 2": [{"epoch": e, "reconstruction_error": 8.0 / e, "free_energy_gap": 0.1 * e} for e in (1, 2)],
    }
    figure = learning_curves(histories, title="Learning")
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    assert list(panels) == ["reconstruction error (squared, per case)", "dead units (share)", "free-energy gap (nats)"]
    first = panels["reconstruction error (squared, per case)"]
    assert [line.get_label() for line in first.lines] == ["layer 1", "layer 2"]
    np.testing.assert_allclose(first.lines[0].get_xydata(), [[1, 10], [2, 5], [3, 10 / 3]])
    assert first.lines[0].get_color() != first.lines[1].get_color()
    assert panels["free-energy gap (nats)"].lines[0].get_color() == first.lines[1].get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["layer 1", "layer 2"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    png(figure)


def test_training_and_validation_share_a_panel():
    rows = [{"epoch": e, "train_error_percent": 3.0 / e, "validation_error_percent": 4.0 / e} for e in range(1, 5)]
    (axes,) = learning_curves({"fine-tuning": rows}).axes
    assert axes.get_ylabel() == "error (%)"
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "validation"]


def test_gaps_and_single_epochs_are_drawn():
    values = [1.0, float("nan"), 3.0, 4.0, float("inf"), None]
    rows = [{"epoch": e, "dead": value} for e, value in enumerate(values)]
    figure = learning_curves({"gaps": [*rows, {"epoch": 6.0}], "one": [{"dead": 2.0}], "none": [], "nan": rows[1:2]})
    gaps, one = figure.axes[0].lines
    np.testing.assert_array_equal(gaps.get_xdata(), range(7))
    np.testing.assert_array_equal(gaps.get_ydata(), [1.0, np.nan, 3.0, 4.0, np.nan, np.nan, np.nan])
    assert gaps.get_markevery() == [0]  # the only value without a neighbour
    assert one.get_xydata().tolist() == [[1.0, 2.0]]
    assert one.get_markevery() == [0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gaps", "one"]
    png(figure)


def test_a_metric_of_every_second_epoch_is_a_line_and_a_value_that_failed_a_gap():
    values = {2: 1.0, 4: 2.0, 6: float("nan"), 8: 3.0}
    rows = [{"epoch": epoch} | ({"nats": values[epoch]} if epoch in values else {}) for epoch in range(1, 10)]
    (line,) = learning_curves({"held out": rows}).axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 4, 6, 8, 9])
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, 1.0, 2.0, np.nan, 3.0, np.nan])
    assert line.get_markevery() == [4]


@pytest.mark.parametrize("histories", [{}, {"layer 1": []}, {"layer 1": [{"epoch": 1, "dead": float("nan")}]}])
def test_nothing_recorded_is_said_in_words(histories):
    figure = learning_curves(histories)
    assert figure.texts[0].get_text() == "Nothing has been recorded yet."
    png(figure)


def test_a_metric_that_never_changes_is_named_and_not_drawn():
    rows = [{"epoch": e, "loss": 1.0 / e, "dead": 0.0, "saturated": 0.25} for e in (1, 2, 3)]
    figure = learning_curves({"a": rows, "b": rows[:2]})
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss (nats per case)"]
    assert "dead units (share) 0; saturated" in " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    flat = learning_curves({"a": [{"dead": 0.0}, {"dead": 0.0}]})
    assert flat.axes == []
    assert "dead units (share) 0" in flat.texts[0].get_text()
    assert len(learning_curves({"a": [{"loss": 1.0}]}).axes) == 1  # one epoch: a dot, and no constant yet


def test_rows_of_fantasies_have_names():
    figure = fantasies(np.random.default_rng(0).random((2, 3, 4, 4)), row="class", rows=["cat", "dog"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["class cat", "class dog"]
    with pytest.raises(ValueError, match="rows must name each of the 2 rows"):
        fantasies(np.zeros((2, 3, 4, 4)), rows=["one"])


def test_metrics_can_be_chosen_and_unknown_ones_are_named_in_words():
    rows = [{"epoch": e, "dead": 0.1, "word_perplexity": 5.0, "hit_rate_percent": 2.0} for e in (1, 2)]
    figure = learning_curves({"a": rows}, metrics=["hit_rate_percent", "word_perplexity", "absent"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["hit rate (%)", "word perplexity"]


def test_wide_positive_ranges_are_logarithmic():
    wide = [{"epoch": e, "update_ratio": 10.0**-e, "free_energy_gap": 10.0**e - 50} for e in (1, 2, 3)]
    assert [axes.get_yscale() for axes in learning_curves({"a": wide}).axes] == ["log", "linear"]


def test_many_phases_keep_their_legend_on_the_page():
    figure = learning_curves({f"layer {n}, mean field": [{"dead": 0.1}, {"dead": 0.2}] for n in range(9)})
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert box.y0 >= figure.axes[0].get_tightbbox().y1


def test_confusion_colours_errors_only_and_writes_every_count():
    counts = np.array([[50, 3, 0], [1, 40, 9], [0, 0, 60]])
    figure = confusion(counts, ["a", "b", "c"])
    pixels = sheet(figure)
    assert np.isnan(np.diag(pixels)).all()
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_array_equal(pixels[off], counts[off])
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    for row in range(3):
        for column in range(3):
            assert cells.get((column, row), "0") == str(counts[row, column])
    assert [text for text in cells.values() if text.endswith("%")] == ["5.7%", "20.0%", "0.0%"]
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    png(figure)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [(np.zeros((2, 3)), r"\(2, 2\)"), ([[1, -1], [0, 1]], "negative"), ([[0.5, 0.5], [0, 1]], "whole")],
)
def test_confusion_refuses_what_are_no_counts(matrix, message):
    with pytest.raises(ValueError, match=message):
        confusion(matrix, "ab")


def test_confusion_without_a_case_in_a_class_or_an_error():
    png(confusion([[0, 0], [0, 7]], ["cat", "dog"]))


def test_no_global_state_is_touched_and_figures_are_freed(rng):
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend(auto_select=False)
    figure = image_grid(rng.random((4, 5, 5)), columns=2, captions=list("abcd"), title="t")
    png(figure)
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend(auto_select=False) == backend
    alive = weakref.ref(figure)
    del figure
    gc.collect()
    assert alive() is None


def test_the_style_of_your_own_figures_moves_nothing(rng):
    """The package's own style asks for a layout; tiles stay where they are, at the second saving too."""

    def saved(figure):
        file = io.BytesIO()
        figure.savefig(file, format="raw")
        return file.getvalue()

    images, rows = rng.random((3, 8, 8)), [{"epoch": epoch, "nats": -epoch} for epoch in (1, 2)]
    for draw in (lambda: image_grid(images, columns=3, title="three"), lambda: learning_curves({"a": rows})):
        plain = draw()
        before = [saved(plain), saved(plain)]  # constrained layout moves curves a little at the second
        with matplotlib.style.context("harmonium.report.figures"):
            figure = draw()
            assert [saved(figure), saved(figure)] == before
