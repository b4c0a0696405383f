"""A visitor's browser before one worker: keeps both cookies, reads tokens, reports events, at any time."""

import gzip
import re
import time
from typing import Any

import pytest

from edge.visitor.events import EventState
from tests.edge.worker.conftest import Answer, Worker

NOW_MS = 1_750_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TOKEN = re.compile(rb'data-nearside="([^"]+)"')


class Browser:
    """One visitor; `now_ms` is theirs to set.

    Attributes
    ----------
    jar : dict
        Cookies by name, the site's consent cookie too.
    token : str
        Of the page that was loaded last; empty where it had none.
    html : bytes
        That page.
    """

    def __init__(self, worker: Worker, monkeypatch: pytest.MonkeyPatch, consent: str = "full") -> None:
        self.worker = worker
        self.now_ms = NOW_MS
        self.jar = {"consent": consent}
        self.token = ""
        self.html = b""
        monkeypatch.setattr(time, "time_ns", lambda: self.now_ms * 1_000_000)

    def page(self, path: str = "/", **attributes: str) -> list[str]:
        """Load a page; the campaigns that it shows."""
        answer = self.worker.get(path, {"cookie": self._cookies(), **attributes})
        assert answer.status == 200
        self._keep(answer)
        coded = answer.value("content-encoding") == "gzip"
        self.html = gzip.decompress(answer.body) if coded else answer.body
        found = TOKEN.search(self.html)
        self.token = found[1].decode() if found else ""
        return [slot.policy for slot in self.worker.decisions()[-1].slots]

    def read(self) -> dict[str, Any]:
        """The attributes that the last decision read."""
        return dict(self.worker.decisions()[-1].context.attributes)

    def report(self, *events: dict[str, Any], token: str = "") -> Answer:
        """Send events in one request."""
        answer = self.send({"token": token or self.token, "events": list(events)})
        self._keep(answer)
        return answer

    def send(self, document: Any) -> Answer:
        """Send a body of events, and forget the answer's cookies."""
        return self.worker.post("/_nearside/events", document, {"cookie": self._cookies()})

    def saw(self, item: str = "", placement: str = "hero", kind: str = "impression") -> None:
        """Report that something came into view."""
        assert self.report({"kind": kind, "item": item, "placement": placement}).status == 204

    def did(self, kind: str, item: str = "", value: float = 0, n: int = 0) -> None:
        """Report what the site's script tells."""
        assert self.report({"kind": kind, "item": item, "value": value, "n": n}).status == 204

    def events(self) -> EventState:
        """What the event cookie holds."""
        return self.worker.desk.cookies.open_events(self.jar["nearside-e"].encode())

    def _cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def _keep(self, answer: Answer) -> None:
        for line in answer.values("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
