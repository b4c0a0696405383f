"""Keeps the visitors' pages: byte for byte, and side by side on a page that opens from the disk."""

import base64
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from origin.demo.visits import Visit

COMPARED: Final = "compare.html"
_SCRIPT: Final = re.compile(r"<script\b[^>]*></script>\s*")
_CONSENT: Final = '<link rel="stylesheet" href="/consent.css">'
# Whoever answered the question is not asked again; it is not what the pages differ in.
_ANSWERED: Final = "<style>.consent{display:none}</style>"
_STYLESHEET: Final = re.compile(r'<link rel="stylesheet" href="(/static/[^"]+)">')
_IMAGE: Final = re.compile(r'(<(?:img|link)\b[^>]*? (?:src|href)=")(/[^"]+\.svg)(")')

Fetch = Callable[[str], bytes]


def save(visits: Sequence[Visit], folder: Path, fetch: Fetch) -> Path:
    """Save each page as it came, and one that shows them beside each other; the path of that one."""
    folder.mkdir(parents=True, exist_ok=True)
    held: dict[str, bytes] = {}

    def once(path: str) -> bytes:
        if path not in held:
            held[path] = fetch(path)
        return held[path]

    frames = []
    for visit in visits:
        (folder / f"{visit.name}.html").write_bytes(visit.page)
        whole = escape(_standalone(visit.page.decode(), once), quote=True)
        caption = f'<a href="{visit.name}.html">{visit.name}.html</a>: {escape(visit.who)}'
        frames.append(
            f"<figure><figcaption>{caption}</figcaption>"
            f'<iframe title="{escape(visit.who)}" sandbox="allow-same-origin" srcdoc="{whole}">'
            "</iframe></figure>"
        )
    target = folder / COMPARED
    target.write_text(_PAGE.replace("FRAMES", "\n".join(frames)), encoding="utf-8")
    return target


def _standalone(page: str, fetch: Fetch) -> str:
    """The page with its stylesheet and pictures inside, and without what needs a server."""
    page = _SCRIPT.sub("", page).replace(_CONSENT, _ANSWERED)
    page = _STYLESHEET.sub(lambda m: f"<style>{fetch(m[1]).decode()}</style>", page)
    return _IMAGE.sub(lambda m: f"{m[1]}{_inline(fetch(m[2]))}{m[3]}", page)


def _inline(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The same page, for different visitors</title>
<style>
body { margin: 0; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; }
body { background: #e9e6e0; color: #1d1b18; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); }
figure { margin: 0; display: flex; flex-direction: column; justify-content: flex-end; }
figcaption { margin-bottom: .5rem; font-weight: 600; }
iframe { width: 100%; height: 60rem; border: 1px solid #b9b2a4; border-radius: 12px; background: #fff; }
</style>
</head>
<body>
<h1>The same page, for different visitors</h1>
<main>
FRAMES
</main>
</body>
</html>
"""
