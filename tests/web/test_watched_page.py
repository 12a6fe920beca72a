"""The page of a run that is learning, in a real browser."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harmonium.files import read_tensors, write_tensors
from tests.report.asked import until

pytest.importorskip("uvicorn", reason="needs the extra web: pip install 'harmonium[web]'")


def halved(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor / 2 if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def test_a_dream_goes_on_with_the_newest_net(folder: Path, tmp_path: Path, watch: Callable, browser: Any) -> None:
    mine = shutil.copytree(folder, tmp_path / "digits")
    process, address = watch(mine)
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{address}#mode=dream&speed=5&held=3")
    page.wait_for_selector("html[data-ready]")
    until(
        page, "document.querySelectorAll('#fantasies canvas').length === 10 && document.querySelectorAll('#activity canvas').length === 3"
    )
    assert page.locator("#fields canvas").count() == 40
    until(page, "document.getElementById('news').textContent.includes('up-down, epoch 3')")
    assert page.locator("#progress canvas").count() > 0
    until(page, "harmonium.frame.count > 30")
    ask = "harmonium.ask('fields', { count: 1 }).then(([field]) => Array.from(field))"
    before = page.evaluate(ask)
    path = mine / "checkpoints" / "up-down.safetensors"
    tensors, header = read_tensors(path)
    write_tensors(path, halved(tensors), header)
    page.get_by_role("button", name="Newest net now").click()
    until(page, "document.getElementById('news').textContent.includes('Net 2')")
    assert page.evaluate(ask) == pytest.approx([weight / 2 for weight in before], abs=1e-6)
    assert page.evaluate("harmonium.frame.count") > 30  # it did not begin again
    assert said == []
    process.kill()
    until(page, "document.getElementById('news').textContent.includes('does not answer')")
    page.close()


def test_a_page_leaves_the_run_its_processor(folder: Path, tmp_path: Path, watch: Callable, browser: Any) -> None:
    mine = shutil.copytree(folder, tmp_path / "digits")
    address, page = watch(mine)[1], browser.new_page()
    page.goto(f"{address}#mode=dream")
    page.wait_for_selector("#progress canvas")
    assert page.locator("#speed-words").text_content() == "2 a second"
    path = mine / "checkpoints" / "up-down.safetensors"
    tensors, header = read_tensors(path)

    def slowly(route: Any) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route("**/net", slowly)  # to take in a net takes half a second or more, and then the page rests for ten
    write_tensors(path, halved(tensors), header)
    page.get_by_role("button", name="Newest net now").click()
    until(page, "document.getElementById('news').textContent.includes('Net 2')")
    until(page, "document.querySelectorAll('#fantasies canvas').length === 10")
    write_tensors(path, halved(halved(tensors)), header)
    asked = []
    page.on("request", lambda request: asked.append(request.method))
    page.wait_for_timeout(7000)
    assert (asked.count("GET") >= 2, asked.count("POST")) == (True, 0)
    page.get_by_role("button", name="Newest net now").click()
    until(page, "document.getElementById('news').textContent.includes('Net 3')")
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_readers_of_screens_and_small_screens_are_served(watch: Callable, browser: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: make test-page installs it").Axe()
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{watch()[1]}#mode=dream")
    page.wait_for_selector("#progress canvas")
    until(page, "document.querySelectorAll('#activity canvas').length === 3")
    page.get_by_role("button", name="Learning").click()
    assert page.evaluate("document.activeElement.id") == "learning"
    found = axe.run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
