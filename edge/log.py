"""How every process of the edge logs: one line an event to standard error, as key=value or as JSON."""

import json
import logging
import sys
import time
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("text", "json")


class _Line(logging.Formatter):
    """`at=… level=… process=… from=… message="…"`; a traceback is folded into the line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        told = self._told(record)
        told["message"] = _quoted("\n".join([told["message"], *told.pop("traceback", "").splitlines()]))
        return " ".join([f"{key}={value}" for key, value in told.items()])

    def _told(self, record: logging.LogRecord) -> dict[str, str]:
        """What a line says, by keys that stay as they are: people search for them."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return told


class _JsonLine(_Line):
    """The same as an object; a traceback has a key of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._told(record))


def configure(level: str, process: str, form: str = "text") -> None:
    """Log to standard error from now on, replacing what was configured before.

    An unknown `level` is read as ``info``: logging is no reason not to serve.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine(process) if form == "json" else _Line(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel((level if level in LEVELS else "info").upper())
    # These report each request; what matters of it is counted and logged by us.
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns of each request that is none: whoever sends such would fill the disk.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


def _quoted(text: str) -> str:
    """In quotes, and printable: paths that strangers made up must not command a terminal."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    if not text.isprintable():
        text = "".join([one if one.isprintable() else f"\\u{ord(one):04x}" for one in text])
    return f'"{text}"'
