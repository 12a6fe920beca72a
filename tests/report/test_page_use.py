"""The interactive page as it is used: modes, pen, keys, address, tour, readers of screens."""

import pytest
import torch

import harmonium as hm
from tests.report.asked import ask, until
from tests.report.test_page import labelled_net

SCREENS = [
    ("telephone", 390, 844, "light"),
    ("telephone", 390, 844, "dark"),
    ("laptop", 1280, 800, "dark"),
    ("projector", 1920, 1080, "light"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    digits = hm.data.digits.load()
    path = tmp_path_factory.mktemp("page") / "page.html"
    return hm.report.page(labelled_net(), path, images=digits.test_images, labels=digits.test_labels)


def frames(page, count, **begin):
    """The pixels' means in the first frames after a beginning."""
    page.evaluate("() => document.getElementById('play').textContent === 'Pause' && document.getElementById('play').click()")
    ask(page, "begin", **({"mode": "dream", "seed": 1, "pixels": [], "missing": []} | begin))
    settings = {"held": None, "temperature": 1, "topDown": 0, "doubt": 0}
    return torch.tensor([ask(page, "step", **settings)["means"][0] for _ in range(count)])


def test_a_seed_is_a_dream(path, visit):
    page = visit(path)
    first, again, other = (frames(page, 5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_sweeps_that_nobody_sees_are_sweeps(tmp_path, visit):
    page = visit(hm.report.page(hm.RBM(hm.Bernoulli(16), hm.Bernoulli(9), hm.Dense(16, 9, scale=1.0)), tmp_path / "page.html"))
    seen = frames(page, 10)[-1]
    ask(page, "begin", mode="dream", seed=1, pixels=[], missing=[])
    skipped = ask(page, "step", held=None, temperature=1, times=10)
    assert skipped["count"] == 10
    assert torch.equal(torch.tensor(skipped["means"][0]), seen)


def test_every_mode_goes_on_and_speaks_of_itself(path, visit):
    page = visit(path, "speed=5")
    headings = []
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert tab.get_attribute("aria-selected") == "true"
        until(page, "Number(document.getElementById('count').textContent.slice(5)) > 3")
        headings.append(page.inner_text("#heading"))
    assert len(set(headings)) == 5


def test_labels_are_held_by_click_and_key_where_something_is_made_up(path, visit):
    page = visit(path, "mode=dream")
    label = page.locator(".labels button").nth(3)
    label.click()
    assert label.get_attribute("aria-pressed") == "true"
    until(page, "harmonium.frame.label === 3")
    page.locator("#layer-1").focus()
    page.keyboard.press("7")
    until(page, "harmonium.frame.label === 7")
    page.get_by_role("tab", name="Perceive").click()
    assert label.is_disabled()


def test_time_stands_still_while_it_is_paused(path, visit):
    page = visit(path, "mode=dream")
    page.get_by_role("button", name="Pause").click()
    page.evaluate("() => new Promise(wait => setTimeout(wait, 300))")
    count = page.inner_text("#count")
    page.locator("#layer-1").click()
    page.get_by_label("samples").check()
    page.locator("#layer-1").focus()
    page.evaluate("() => new Promise(wait => setTimeout(wait, 300))")
    assert page.inner_text("#count") == count
    page.keyboard.press(".")
    until(page, f"Number(document.getElementById('count').textContent.slice(5)) === {int(count[5:]) + 1}")


def test_completion_keeps_what_is_not_erased(path, visit):
    page = visit(path)
    pixels = torch.arange(64) / 64
    missing = (torch.arange(64) >= 32).int()
    made = frames(page, 4, mode="complete", pixels=pixels.tolist(), missing=missing.tolist())
    assert torch.allclose(made[:, :32], pixels[:32].expand(4, -1))
    assert not torch.allclose(made[0, 32:], made[3, 32:])


def test_a_drawing_is_fitted_and_centred_as_mnists_digits_were(tmp_path, visit):
    page = visit(hm.report.page(hm.RBM(784, 5), tmp_path / "page.html"))
    box = page.locator("#sees").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    until(page, "location.hash.includes('drawn=')")
    page.reload()  # the drawing is in the address
    page.wait_for_selector("html[data-ready]")
    dots = page.evaluate(
        "() => { const canvas = document.getElementById('sees');"
        " return Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, at) => at % 4 === 0) }"
    )
    grey = torch.tensor(dots, dtype=torch.float64).reshape(28, 28)
    ink = (grey - grey[0, 0]).abs()
    rows, columns = (ink.sum(axis).nonzero().flatten() for axis in (1, 0))
    assert int(rows.max() - rows.min()) + 1 == 20
    for each, total in ((rows, ink.sum(1)), (columns, ink.sum(0))):
        assert each.min() >= 4 - 1
        assert abs(float((total * torch.arange(28)).sum() / total.sum()) - 13.5) <= 0.5


def test_the_address_brings_a_view_back_and_survives_nonsense(path, visit):
    address = "mode=complete&held=4&seed=77&speed=1&erased=left+half&shown=states&unit=2.5&theme=dark"
    page = visit(path, address)
    view = page.evaluate("harmonium.view")
    wanted = {
        "mode": "complete",
        "held": 4,
        "seed": 77,
        "speed": 1,
        "erased": "left half",
        "shown": "states",
        "unit": [2, 5],
        "theme": "dark",
    }
    assert view | wanted == view
    kept = page.evaluate("location.hash")
    page = visit(path, "mode=constructor&held=99&seed=-5&speed=x&drawn=%00&unit=9.9&temperature=1e9&erased=&picture=1e99")
    view = page.evaluate("harmonium.view")
    assert (view["mode"], view["held"], view["seed"], view["temperature"], view["unit"]) == ("perceive", 9, 0, 4, None)
    page.goto(path.resolve().as_uri() + kept)
    until(page, "harmonium.view.mode === 'complete'")


def test_a_unit_is_chosen_by_keys_and_shows_what_turns_it_on(path, visit):
    page = visit(path)
    page.locator("#layer-1").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".best canvas")
    assert page.inner_text("#unit-words") == "Unit 2 of 20 in layer 1."
    found, digits = ask(page, "inspect", layer=1, unit=1), hm.data.digits.load()
    dbn = labelled_net()
    assert torch.allclose(torch.tensor(found["sees"]), dbn.recognition[0].coupling.weight[:, 1].detach(), atol=0.02)
    one = torch.zeros(2, 20)
    one[1, 1] = 1
    off, on = dbn.generative[0](one).detach()
    assert torch.allclose(torch.tensor(found["draws"]), on - off, atol=0.01)
    means = dbn.up(digits.test_images.float() / 255, layers=1)[:, 1].detach()
    assert max(found["strengths"]) <= float(means.max()) + 0.02
    assert found["strengths"][found["best"][0]] == max(found["strengths"])


def test_the_images_are_one_stop_of_the_tab_key(path, visit):
    page = visit(path)
    page.get_by_role("button", name="Image 1, ").first.focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    until(page, "harmonium.view.picture === 1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#gallery')") is None
    assert page.locator("#gallery button[tabindex='0']").count() == 1


def test_the_tour_goes_through_all_eight_steps(path, visit):
    page = visit(path)
    page.get_by_role("button", name="Tour").click()
    seen = []
    for step in range(8):
        assert page.inner_text("#guide-place") == f"Step {step + 1} of 8"
        seen.append(page.inner_text("#guide-heading"))
        page.locator("#guide-next").click()
    assert len(set(seen)) == 8
    assert page.locator("#guide").is_hidden()


def test_a_presenters_buttons_turn_the_tour(path, visit):
    page = visit(path)
    page.keyboard.press("t")
    places = []
    for key in ("PageDown", "PageDown", "PageUp", "PageUp", "PageUp"):
        page.keyboard.press(key)
        places.append(page.inner_text("#guide-place"))
    assert places == [f"Step {step} of 8" for step in (2, 3, 2, 1, 1)]
    page.keyboard.press("Escape")
    assert page.locator("#guide").is_hidden()


def test_a_dream_skips_sweeps(path, visit):
    page = visit(path, "mode=dream")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Begin again").click()
    page.get_by_role("button", name="Skip 1,000 sweeps").click()
    until(page, "harmonium.frame.count === 1001")


@pytest.mark.parametrize("model", [hm.RBM(64, 12), hm.DBM([hm.Bernoulli(64), hm.Bernoulli(8), hm.Bernoulli(6)])], ids=["RBM", "DBM"])
def test_nets_without_labels_or_images_have_a_page_and_a_tour(tmp_path, visit, model):
    page = visit(hm.report.page(model, tmp_path / "page.html"))
    assert page.locator("#gallery").count() == 0
    page.keyboard.press("t")
    while page.locator("#guide").is_visible():
        page.locator("#guide-next").click()
    until(page, "harmonium.frame !== null")


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [screen[1:] for screen in SCREENS], ids=["-".join(map(str, each)) for each in SCREENS]
)
def test_readers_of_screens_and_small_screens_are_served(path, visit, width, height, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: make test-page installs it").Axe()
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "reduced_motion": "reduce"}
    page = visit(path, "mode=dream&unit=1.1&seed=3", **options)
    page.wait_for_selector(".best canvas")
    if scheme == "dark":
        page.keyboard.press("t")
    found = axe.run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
