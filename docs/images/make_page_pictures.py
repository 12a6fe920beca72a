"""Renews docs/static/net.html and its pictures, page_complete.webp and page_dream.webp. It needs the browser extra and Chromium.

python docs/images/make_page_pictures.py             # after a change of the page's code: the net is kept
harmonium page RUN -o docs/static/net.html           # another net; then the line above
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from harmonium.report.page import document, held_by

HERE = Path(__file__).parent
PAGE = HERE.parent / "static" / "net.html"
VIEWS = {
    "page_complete": ("light", 60, "mode=complete&picture=4&erased=lower+half&speed=0&unit=1.40"),
    "page_dream": ("dark", 1200, "mode=dream&held=3&speed=0"),
}
"""Of each picture the colours, the steps, and the page's address."""
SKIP = "Skip 1,000 sweeps"


def main() -> None:
    PAGE.write_text(document(*held_by(PAGE.read_text(encoding="utf-8"))), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (scheme, steps, address) in VIEWS.items():
            view = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
            view.goto(f"{PAGE.as_uri()}#{address}")
            view.wait_for_selector("html[data-ready]")
            view.click("#play")
            if steps > 1000:
                view.get_by_role("button", name=SKIP).click()
            view.evaluate("document.activeElement.blur()")
            while view.evaluate("harmonium.frame?.count ?? 0") < steps:
                view.keyboard.press(".")
                view.wait_for_timeout(20)
            Image.open(io.BytesIO(view.screenshot())).save(HERE / f"{name}.webp", quality=80, method=6)
        browser.close()


if __name__ == "__main__":
    main()
