"""How every process of the edge logs: one line of key=value to standard error."""

import logging
import sys
import time
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")


class _Line(logging.Formatter):
    """`at=… level=… process=… from=… message="…"`; a traceback is folded into the line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return (
            f"at={at}.{int(record.msecs):03d}Z level={record.levelname.lower()} process={self._process}"
            f" from={record.name} message={_quoted(text)}"
        )


def configure(level: str, process: str) -> None:
    """Log to standard error from now on, replacing what was configured before.

    An unknown `level` is read as ``info``: logging is no reason not to serve.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel((level if level in LEVELS else "info").upper())
    # These report each request; what matters of it is counted and logged by us.
    for chatty in ("httpx", "httpcore", "uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _quoted(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
