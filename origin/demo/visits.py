"""Two visitors of the demo: what they ask for, and what they got."""

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from edge.events.token import TokenBox
from edge.keys import load_keys
from edge.visitor import cookie
from edge.visitor.cookie import CookieBox
from edge.visitor.state import VERSION, VisitorState
from origin.demo.processes import DemoError

DAY_S: Final = 86_400
TIMEOUT_S: Final = 15.0
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
DESKTOP: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_TOKEN: Final = re.compile(rb'<template data-nearside="([^"]+)">')


@dataclass
class Visit:
    """One front page as a visitor got it.

    Attributes
    ----------
    name : str
        Also the name of the file that the page is saved to.
    decision : str
        The id of the decision behind the page; empty for a plain page.
    decisions, views : int
        How many of each the whole visit must have left in the lake.
    """

    name: str
    who: str
    page: bytes
    decision: str = ""
    decisions: int = 0
    views: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)


class Visitors:
    """Those who come to the demo's PoP.

    Parameters
    ----------
    keys
        The edge's key file: the demo plays a browser that kept a cookie since yesterday,
        and reads the pages' tokens.
    """

    def __init__(self, site: str, edge: str, keys: Path) -> None:
        self._site = site
        self._edge = edge
        held = load_keys(keys)
        self._cookies = CookieBox(held.site, [(key.id, key.raw()) for key in held.cookie])
        self._tokens = TokenBox(held.site, [(key.id, key.raw()) for key in held.event])

    def without_edge(self) -> Visit:
        """The front page, straight from the site."""
        page = _get(httpx.Client(timeout=TIMEOUT_S), self._site, "/")
        return Visit("plain", "the site itself, no edge in front", page)

    def without_consent(self) -> Visit:
        """Somebody who said no: through the edge, and yet the site's page."""
        with self._browser(DESKTOP, {"consent": "none"}) as browser:
            page = _get(browser, self._edge, "/")
        return Visit("no-consent", "somebody who said no to being remembered", page)

    def on_a_phone_in_germany(self) -> Visit:
        """A first visit; nothing is known but the request."""
        with self._browser(
            PHONE, {}, {"x-geo-country": "DE", "accept-language": "de-DE,de;q=0.9"}
        ) as browser:
            page = _get(browser, self._edge, "/")
        who = "a first visit, on a phone in Germany"
        return Visit("phone-in-germany", who, page, self._decision(page), decisions=1)

    def science_fiction_watcher(self, films: Sequence[str]) -> Visit:
        """Somebody who was here yesterday, looks at some films, and comes back to the front page."""
        now_s = int(time.time())
        state = VisitorState(VERSION, secrets.token_bytes(16), now_s - 3 * DAY_S, now_s - DAY_S, 1, ())
        held = {"consent": "full", cookie.NAME.decode(): self._cookies.seal(state).decode()}
        with self._browser(DESKTOP, held) as browser:
            for film in films:
                _get(browser, self._edge, f"/film/{film}")
            page = _get(browser, self._edge, "/")
            who = f"a returning visitor who looked at {len(films)} science fiction films"
            visit = Visit("science-fiction", who, page, self._decision(page), len(films) + 1, len(films))
            self._click(browser, visit)
        return visit

    def _click(self, browser: httpx.Client, visit: Visit) -> None:
        """See and click the first recommended film, as the page's script reports it."""
        token = _TOKEN.search(visit.page)
        if token is None:
            return
        shown = self._tokens.open(token[1], int(time.time()))
        item = dict(shown.slots).get("recommended", ("",))[0]
        if not item:
            return
        visit.events = [("impression", item), ("click", item)]
        reported = [
            {"kind": kind, "item": item, "placement": "recommended", "n": 0} for kind, _ in visit.events
        ]
        body = {"token": token[1].decode(), "events": reported}
        browser.post(f"{self._edge}/_nearside/events", json=body).raise_for_status()

    def _decision(self, page: bytes) -> str:
        token = _TOKEN.search(page)
        return self._tokens.open(token[1], int(time.time())).decision if token else ""

    def _browser(
        self, agent: str, cookies: dict[str, str], headers: dict[str, str] | None = None
    ) -> httpx.Client:
        accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
        # In a jar that knows the host, what the edge sets replaces what we brought.
        jar = httpx.Cookies()
        host = httpx.URL(self._edge).host
        for name, value in cookies.items():
            jar.set(name, value, host)
        fields = {"user-agent": agent, "accept": accept, **(headers or {})}
        return httpx.Client(headers=fields, cookies=jar, timeout=TIMEOUT_S)


def _get(client: httpx.Client, base: str, path: str) -> bytes:
    try:
        response = client.get(f"{base}{path}")
    except httpx.HTTPError as error:
        raise DemoError(f"{base}{path} did not answer: {error}") from error
    if response.status_code != httpx.codes.OK:
        raise DemoError(f"{base}{path} answered {response.status_code}: {response.text[:200]}")
    return response.content
