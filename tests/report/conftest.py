"""A browser for the tests of the interactive page."""

import os
import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make test-page installs it")
    with sync_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        except sync_api.Error as error:
            pytest.skip(f"needs Chromium: apt install chromium, or playwright install chromium ({str(error).splitlines()[0]})")
        yield found
        found.close()


@pytest.fixture
def visit(browser):
    """Opens a page from disk; at the end nothing may have been said on the console."""
    said, contexts = [], []

    def opened(path, address="", **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{path.resolve().as_uri()}#{address}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
