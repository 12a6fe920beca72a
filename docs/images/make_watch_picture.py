"""Makes page_watch.webp, what the page of a run shows below the net while the run learns. It needs the browser extra and Chromium.

harmonium run digits --seed 0
harmonium watch runs/digits
python docs/images/make_watch_picture.py ADDRESS
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright


def main(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce")
        view.goto(f"{address}#mode=dream&speed=0")
        view.wait_for_selector("html[data-ready]")
        view.wait_for_selector("#progress canvas")
        view.wait_for_timeout(15_000)  # a few nets
        view.add_style_tag(content="footer { display: none !important; }")  # it would stand before the section
        picture = view.locator("#learning").screenshot()
        Image.open(io.BytesIO(picture)).save(Path(__file__).parent / "page_watch.webp", quality=80, method=6)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
