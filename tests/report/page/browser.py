"""A headless Chromium that looks at a page; ``python tests/report/page/browser.py PAGE FOLDER`` takes pictures."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Without these Chromium asks its makers' servers for updates, which a test has no business to do.
QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
PROGRAMS = ("chromium", "chromedriver")


def missing() -> list[str]:
    """Programs that have to be installed first."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def chromium(*, width: int = 1400, height: int = 900) -> Iterator[Any]:
    """A driver of a browser without a window, whose console is kept."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program, driver = (shutil.which(name) for name in PROGRAMS)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        size = f"--window-size={width},{height}"
        for argument in (*QUIET, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", size):
            options.add_argument(argument)
        browser = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield browser
        finally:
            browser.quit()


def tabs(browser: Any) -> dict[str, Any]:
    """Tabs by the name of their section."""
    return {tab.get_attribute("aria-controls"): tab for tab in browser.find_elements("css selector", "[role=tab]")}


def take_pictures(page: Path, folder: Path, *, width: int = 1400, dark: bool = False) -> None:
    """Write a PNG of every tab, whole."""
    with chromium(width=width) as browser:
        browser.get(page.absolute().as_uri())
        if dark:
            browser.find_element("id", "theme").click()
        for name, tab in tabs(browser).items():
            tab.click()
            time.sleep(1)
            browser.set_window_size(width, browser.execute_script("return document.documentElement.scrollHeight") + 150)
            browser.execute_script("scrollTo(0, 0)")
            time.sleep(0.5)
            browser.save_screenshot(str(folder / f"{name}.png"))
            browser.set_window_size(width, 900)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), Path(sys.argv[2]))
