"""A browser, pages that may ask for nothing, and the numbers that are read from them."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason='needs the extra "browser"')


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.fail("chromium is missing: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        # a container's root has no sandbox; the pages are our own
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """visit(address, width, theme) opens a page. At the end it must have asked for nothing."""
    noticed, contexts = [], []

    def visit(address: str, width: int = 1280, theme: str = "light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        own = address.partition("?")[0]  # a form asks for the page again
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: noticed.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: noticed.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(own) or noticed.append(f"request: {request.url}")
            ),
        )
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert noticed == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which `make test-browser` fetches from the npm registry."""
    path = os.environ.get("AXE")
    if not path:
        pytest.skip("AXE does not name axe-core's axe.min.js; make test-browser fetches it")
    return Path(path).read_text("utf-8")


def read(page, label: str, n: int, key: str = "ArrowRight") -> list[float]:
    """n numbers of a picture, one after the other, with an arrow key."""
    canvas = page.locator(f'canvas[aria-label^="{label}"]').first
    canvas.focus()
    output = canvas.locator("xpath=ancestor::div[contains(@class, 'picture')]//output")
    numbers = []
    for _ in range(n):
        numbers.append(float(output.inner_text().rsplit(": ")[-1].replace("\u2212\u221e", "-inf")))
        canvas.press(key)
    return numbers


def close(shown, expected) -> None:
    expected = np.asarray(expected, np.float64)
    finite = np.isfinite(expected)
    assert (np.isfinite(shown) == finite).all()
    largest = np.abs(expected[finite]).max()
    np.testing.assert_allclose(np.asarray(shown)[finite], expected[finite], atol=1e-3 * largest)
