"""A Chromium without a window, where there is one."""

import shutil
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT_S = 60
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130 Safari/537.36"
"""One with a window: who says to be without one is a bot, and gets the plain page."""


def command(folder: Path) -> list[str]:
    """What opens the URL after it, and prints the page once all is loaded; its profile is in `folder`."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    switches = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    switches += ["--timeout=15000", "--window-size=800,600", f"--user-agent={AGENT}", "--dump-dom"]
    return [browser, *switches]
