"""Makes page_complete.webp and page_dream.webp, views of an interactive page. It needs the browser extra and Chromium.

harmonium run mnist-joint --quick --seed 1
harmonium page runs/mnist-joint -o page.html
python docs/images/make_page_pictures.py page.html
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
VIEWS = {
    "page_complete": ("light", 60, "mode=complete&picture=4&erased=lower+half&speed=0&unit=1.40"),
    "page_dream": ("dark", 300, "mode=dream&held=3&speed=0"),
}
"""Of each picture the colours, the steps, and the page's address."""


def main(page: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (scheme, steps, address) in VIEWS.items():
            view = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
            view.goto(f"{page.resolve().as_uri()}#{address}")
            view.wait_for_selector("html[data-ready]")
            view.click("#play")
            view.evaluate("document.activeElement.blur()")
            while view.evaluate("harmonium.frame?.count ?? 0") < steps:
                view.keyboard.press(".")
                view.wait_for_timeout(20)
            Image.open(io.BytesIO(view.screenshot())).save(HERE / f"{name}.webp", quality=80, method=6)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
