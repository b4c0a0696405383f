"""Draws the README's picture from the pages that the demo saved: plain and personalized, side by side.

Needs a Chromium, and pages of ``nearside demo --once``::

    python -m origin.demo.screenshot .demo/pages docs/img/plain-and-personalized.png
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from html import escape
from pathlib import Path
from typing import Final

from origin.demo.gallery import COMPARED

WIDTH: Final = 1600
HEIGHT: Final = 904
LEVELS: Final = 56
"""Of each colour: without the noise in its gradients, the picture is half as large."""
TIMEOUT_S: Final = 60
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FRAME: Final = re.compile(r'<a href="([^"]+)\.html">.*?srcdoc="([^"]*)"', re.S)
SHOWN: Final = {
    "plain": "The page that the site makes",
    "science-fiction": "The same page, for a visitor who looked at five science fiction films",
}


def picture(compared: str) -> str:
    """An HTML page that shows the two; `compared` is what `origin.demo.gallery` wrote."""
    frames = dict(_FRAME.findall(compared))
    figures = "".join(
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f'<div><iframe srcdoc="{frames[name]}"></iframe></div></figure>'
        for name, caption in SHOWN.items()
    )
    levels = " ".join(f"{level / (LEVELS - 1):.4f}" for level in range(LEVELS))
    return _PAGE.replace("LEVELS", levels).replace("FIGURES", figures)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser("screenshot", description=__doc__)
    parser.add_argument("pages", type=Path, help="the demo's pages folder")
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        parser.error(f"none of {', '.join(BROWSERS)} is installed")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "picture.html"
        page.write_text(picture((options.pages / COMPARED).read_text("utf-8")), "utf-8")
        switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        switches += [f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}"]
        # Posters below the fold are loaded lazily, and only ever within a budget of time.
        switches += ["--blink-settings=preferredColorScheme=1", "--virtual-time-budget=5000"]
        command = [browser, *switches, f"--screenshot={options.picture.absolute()}", page.as_uri()]
        subprocess.run(command, check=True, timeout=TIMEOUT_S, stderr=subprocess.DEVNULL)  # noqa: S603


_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<style>
body { margin: 0; padding: 16px; display: flex; gap: 16px; background: #d9d4ca; }
figure { margin: 0; width: 776px; }
figcaption { font: 600 17px/1.2 system-ui, sans-serif; color: #1d1b18; margin: 0 4px 10px; }
div { height: 840px; overflow: hidden; border-radius: 12px; }
figure { filter: url(#fewer); }
iframe { width: 1240px; height: 1343px; border: 0; transform: scale(.6258); transform-origin: 0 0; }
</style>
<svg width="0" height="0" style="position:absolute"><filter id="fewer" color-interpolation-filters="sRGB">
<feComponentTransfer>
<feFuncR type="discrete" tableValues="LEVELS"/><feFuncG type="discrete" tableValues="LEVELS"/>
<feFuncB type="discrete" tableValues="LEVELS"/>
</feComponentTransfer></filter></svg>
FIGURES
"""


if __name__ == "__main__":
    main()
