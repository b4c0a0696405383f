"""The visitors of the demo: what they ask for, and what they got."""

import re
import secrets
import ssl
import time
from collections.abc import Mapping, Sequence
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
# Made once: it takes longer than a page does.
_TLS: Final = ssl.create_default_context()
_TOKEN: Final = re.compile(rb'<template data-nearside="([^"]+)">')


@dataclass
class Visit:
    """One front page as a visitor got it.

    Attributes
    ----------
    name : str
        Also the name of the file that the page is saved to.
    pop : str
        Where the page came from; empty for the site itself.
    decision : str
        The id of the decision behind the page; empty for a plain page.
    decisions, views : int
        How many of each the whole visit must have left in the lake.
    jar : Cookies
        What the visitor's browser keeps.
    """

    name: str
    who: str
    page: bytes
    pop: str = ""
    decision: str = ""
    decisions: int = 0
    views: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)
    jar: httpx.Cookies = field(default_factory=httpx.Cookies)


class Visitors:
    """Those who come to the demo's PoPs.

    Parameters
    ----------
    pops
        What visitors open, by PoP.
    keys
        The edge's key file: the demo plays a browser that kept a cookie since yesterday,
        and reads the pages' tokens.
    """

    def __init__(self, site: str, pops: Mapping[str, str], keys: Path) -> None:
        self._site = site
        self._pops = pops
        held = load_keys(keys)
        self._cookies = CookieBox(held.site, [(key.id, key.raw()) for key in held.cookie])
        self._tokens = TokenBox(held.site, [(key.id, key.raw()) for key in held.event])

    def without_edge(self) -> Visit:
        """The front page, straight from the site."""
        with _browser(DESKTOP, httpx.Cookies()) as browser:
            return Visit("plain", "the site itself, no edge in front", _get(browser, self._site))

    def without_consent(self, pop: str) -> Visit:
        """Somebody who said no: through the edge, and yet the site's page."""
        with _browser(PHONE, _jar(self._pops[pop], {"consent": "none"})) as browser:
            page = _get(browser, self._pops[pop])
        return Visit("no-consent", "somebody who said no to being remembered", page, pop)

    def on_a_phone(self, pop: str, place: str) -> Visit:
        """A first visit; nothing is known but the request."""
        with _browser(PHONE, httpx.Cookies()) as browser:
            page = _get(browser, self._pops[pop])
        who = f"a first visit, on a phone in {place}"
        return Visit("phone", who, page, pop, self._decision(page), decisions=1)

    def science_fiction_watcher(self, pop: str, films: Sequence[str]) -> Visit:
        """Somebody who was here yesterday, looks at some films, and comes back to the front page."""
        now_s = int(time.time())
        state = VisitorState(VERSION, secrets.token_bytes(16), now_s - 3 * DAY_S, now_s - DAY_S, 1, ())
        sealed = self._cookies.seal(state).decode()
        jar = _jar(self._pops[pop], {"consent": "full", cookie.NAME.decode(): sealed})
        with _browser(DESKTOP, jar) as browser:
            for film in films:
                _get(browser, self._pops[pop], f"/film/{film}")
            page = _get(browser, self._pops[pop])
            who = f"a returning visitor who looked at {len(films)} science fiction films"
            visit = Visit("science-fiction", who, page, pop, self._decision(page), len(films) + 1, len(films))
            self._click(browser, visit)
            visit.jar = browser.cookies
        return visit

    def comes_back(self, before: Visit) -> Visit:
        """The same visitor, who did nothing since, on the same page."""
        with _browser(DESKTOP, before.jar) as browser:
            page = _get(browser, self._pops[before.pop])
        name, who = f"{before.name}-revision-2", f"{before.who}: the same page by revision 2"
        return Visit(name, who, page, before.pop, self._decision(page), decisions=1)

    def looks_around(self, pop: str, films: Sequence[str]) -> Visit:
        """Somebody new who agrees to be remembered, and looks at some films."""
        with _browser(DESKTOP, _jar(self._pops[pop], {"consent": "full"})) as browser:
            page = _get(browser, self._pops[pop])
            for film in films:
                _get(browser, self._pops[pop], f"/film/{film}")
        return Visit("new", "somebody new", page, pop, self._decision(page), len(films) + 1, len(films))

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
        browser.post(f"{self._pops[visit.pop]}/_nearside/events", json=body).raise_for_status()

    def _decision(self, page: bytes) -> str:
        token = _TOKEN.search(page)
        return self._tokens.open(token[1], int(time.time())).decision if token else ""


def _browser(agent: str, jar: httpx.Cookies) -> httpx.Client:
    fields = {"user-agent": agent, "accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    return httpx.Client(headers=fields, cookies=jar, timeout=TIMEOUT_S, verify=_TLS)


def _jar(url: str, cookies: Mapping[str, str]) -> httpx.Cookies:
    """In a jar that knows the host, what the edge sets replaces what was there."""
    jar = httpx.Cookies()
    for name, value in cookies.items():
        jar.set(name, value, httpx.URL(url).host)
    return jar


def _get(client: httpx.Client, base: str, path: str = "/") -> bytes:
    try:
        response = client.get(f"{base}{path}")
    except httpx.HTTPError as error:
        raise DemoError(f"{base}{path} did not answer: {error}") from error
    if response.status_code != httpx.codes.OK:
        raise DemoError(f"{base}{path} answered {response.status_code}: {response.text[:200]}")
    return response.content
