"""Visitors of the demo for locust: new ones, returning ones, and some who said no to being remembered.

Runs against the demo (``make demo``), from another terminal::

    .venv/bin/locust -f loadtest/locustfile.py --headless -u 20 -r 5 -t 20s --host http://127.0.0.1:8080

A page that is not 200, or not personalized for whom it should be and plain
for whom it should not, and an event that is not 204 count as failures;
locust's exit status is 1 if there was one.
"""

import random
import re
from typing import Any, Final

from locust import HttpUser, between, task

FILM: Final = re.compile(r'href="/film/([^"/]+)"')
TOKEN: Final = re.compile(r'<template data-nearside="([^"]+)">')
SHELF: Final = "trending"
"""Stands on each page, and a campaign for everybody fills it."""
ITEM: Final = re.compile(rf'data-placement="{SHELF}".*?data-item="([^"]+)"', re.S)
ACCEPT: Final = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
DESKTOP: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 Safari/604.1"


class Visitor(HttpUser):
    """Somebody who looks at pages as a browser does."""

    abstract = True
    wait_time = between(0.1, 0.5)
    consent = ""
    personalized = True

    def on_start(self) -> None:
        """Begin with an empty browser, and with what was answered to the question of consent."""
        self.films: list[str] = []
        self.client.headers.update({"accept": ACCEPT, "user-agent": random.choice((DESKTOP, PHONE))})
        if self.consent:
            self.client.cookies.set("consent", self.consent)

    @task(2)
    def front_page(self) -> None:
        """Look at the front page, see its first shelf, and sometimes click."""
        page = self.look("/", "/")
        self.films = FILM.findall(page)
        self.report(page)

    @task(3)
    def film(self) -> None:
        """Look at a film that the last page linked to."""
        if self.films:
            page = self.look(f"/film/{random.choice(self.films)}", "/film/{item}")
            self.films = FILM.findall(page) or self.films
            self.report(page)

    def look(self, path: str, name: str) -> str:
        """A page; a failure where it is not as this visitor's should be."""
        with self.client.get(path, name=f"{name} ({type(self).__name__})", catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
            elif bool(TOKEN.search(answer.text)) is not self.personalized:
                answer.failure("not personalized" if self.personalized else "personalized without consent")
            return str(answer.text or "")

    def report(self, page: str) -> None:
        """Report the first item of a shelf as seen, and one time in four as clicked."""
        token, item = TOKEN.search(page), ITEM.search(page)
        if token is None or item is None:
            return
        kinds = ("impression", "click") if random.random() < 0.25 else ("impression",)
        events = [{"kind": kind, "item": item[1], "placement": SHELF, "n": 0} for kind in kinds]
        body: dict[str, Any] = {"token": token[1], "events": events}
        with self.client.post("/_nearside/events", json=body, catch_response=True) as answer:
            if answer.status_code != 204:
                answer.failure(f"status {answer.status_code}: {answer.text}")


class New(Visitor):
    """A first visit that is not remembered yet: each page stands for itself."""

    weight = 2


class Returning(Visitor):
    """Somebody who agreed, and whose browser keeps what the edge sets."""

    weight = 2
    consent = "full"


class WithoutConsent(Visitor):
    """Somebody who said no, and gets plain pages."""

    weight = 1
    consent = "none"
    personalized = False
