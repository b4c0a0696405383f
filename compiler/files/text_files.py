"""Reads a workspace's files as bounded text, and settles characters that would disturb a page."""

import re
from pathlib import Path
from typing import Final

from compiler.problems import Problems

_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_OPENS: Final = {
    "\u202a": "\u202c",
    "\u202b": "\u202c",
    "\u2066": "\u2069",
    "\u2067": "\u2069",
    "\u2068": "\u2069",
}
_OVERRIDES: Final = "\u202d\u202e"


def is_file(path: Path) -> bool:
    """Whether a path that somebody wrote names a file; one too long to name anything does not."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_bytes(folder: Path, path: str, problems: Problems, limit_bytes: int) -> bytes | None:
    """The file's bytes; None where a problem was noted instead."""
    file = folder / path
    try:
        if not file.is_file():
            what = "is no regular file" if file.exists() else "is not there"
            problems.error(path, 0, "unreadable" if file.exists() else "missing", f"the file {what}")
            return None
        with file.open("rb") as stream:
            data = stream.read(limit_bytes + 1)
    except OSError as error:
        problems.error(path, 0, "unreadable", error.strerror or str(error))
        return None
    if len(data) > limit_bytes:
        problems.error(path, 0, "too-large", f"more than {limit_bytes} bytes", "split it into several files")
        return None
    return data


def read_text(folder: Path, path: str, problems: Problems, limit_bytes: int) -> str | None:
    """The file's text with plain line ends and no byte order mark; None where a problem was noted."""
    data = read_bytes(folder, path, problems, limit_bytes)
    if data is None:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.error(path, line, "encoding", f"not UTF-8 at byte {error.start}", "save the file as UTF-8")
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def find_control(text: str) -> tuple[int, str] | None:
    """Line and name of the first control character, which no workspace needs."""
    found = _CONTROLS.search(text)
    if found is None:
        return None
    return text.count("\n", 0, found.start()) + 1, f"control character U+{ord(found[0]):04X}"


def settle(text: str) -> str:
    """The text such that it can't disturb what stands after it in a page.

    Control characters become U+FFFD, as a browser would make them. Directional
    overrides are dropped, as are ends without a beginning, and what embeds or isolates
    without an end is ended; balanced marks stay, right-to-left text needs them.
    """
    text = _CONTROLS.sub("\ufffd", text)
    if not _BIDI.search(text):
        return text
    kept, waiting = [], []
    for sign in text:
        if sign in _OVERRIDES:
            continue
        if sign in _OPENS:
            waiting.append(_OPENS[sign])
        elif sign in "\u202c\u2069":
            if sign not in waiting:
                continue
            # An isolate's end also ends the embeddings inside of it.
            while (end := waiting.pop()) != sign:
                kept.append(end)
        kept.append(sign)
    return "".join(kept + waiting[::-1])
