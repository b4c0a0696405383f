"""n.js in a real browser: what it reports of a page, in which order, and how small it is."""

import gzip
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.edge.worker.chromium import TIMEOUT_S, command

SCRIPT = Path(__file__).resolve().parents[3] / "edge/worker/beside/n.js"
MAX_BYTES = 2048
LOADING_S = 1.6
"""Longer than a report waits before it is sent again."""

PAGE = """<!doctype html><meta charset="utf-8">
<script>
window.nearside ??= function () { (nearside.q ??= []).push(arguments); };
nearside("purchase", {item: "dune", value: 12.5});
nearside("purchase", {item: "dune", value: "much"});
</script>
<div data-placement="hero"><template data-nearside="the-token"></template>
<p>Hello <a href="#x" id="link">there</a></p></div>
<ul data-placement="list"><li data-item="alien">Alien</li><li data-item="heat" id="heat">Heat</li></ul>
<div style="height: 5000px"><img src="/slow"></div>
<p data-placement="below">Far below</p>
<script src="/_nearside/n.js" defer></script>
<script type="module">
nearside("cart");
document.getElementById("link").click();
document.getElementById("heat").click();
document.getElementById("heat").click();
document.querySelector("p").click();
</script>
"""


class Site(ThreadingHTTPServer):
    """The page, the script, and a place for events that is slow at first."""

    def __init__(self, page: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = page
        self.bodies: list[dict[str, Any]] = []
        self.statuses = [204]
        self.open = self.most_open = 0
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path == "/slow":  # the browser leaves once all is loaded
            threading.Event().wait(LOADING_S)
        script = self.path == "/_nearside/n.js"
        body = SCRIPT.read_bytes() if script else self.server.page.encode()
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if script else "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.open += 1
            self.server.most_open = max(self.server.open, self.server.most_open)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        threading.Event().wait(0.05)
        with self.server.lock:
            status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
            self.server.bodies.append(body)
            self.server.open -= 1
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def opened(page: str, folder: Path, statuses: tuple[int, ...] = (204,)) -> Iterator[Site]:
    """The page in a browser, for as long as it takes."""
    launch = command(folder)
    site = Site(page)
    launch.append(f"http://127.0.0.1:{site.server_address[1]}/")
    site.statuses = list(statuses)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        subprocess.run(launch, check=True, timeout=TIMEOUT_S, capture_output=True)
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


def told(site: Site) -> list[tuple[str, str, int, str, float]]:
    assert {body["token"] for body in site.bodies} == {"the-token"}
    events = [event for body in site.bodies for event in body["events"]]
    return [(e["kind"], e["item"], e["n"], e["placement"], e["value"]) for e in events]


def test_the_script_reports_what_happened_one_request_at_a_time(tmp_path: Path) -> None:
    with opened(PAGE, tmp_path) as site:
        found = told(site)
    assert found[:3] == [
        ("purchase", "dune", 0, "", 12.5),
        ("purchase", "dune", 1, "", 0),
        ("cart", "", 0, "", 0),
    ]
    *others, dwell, scroll = found[3:]
    assert (dwell[:4], scroll[:4]) == (("dwell", "", 0, ""), ("scroll", "", 0, ""))
    assert 0 < dwell[4] < TIMEOUT_S
    assert 5 < scroll[4] < 25  # 600 of some 5,200 pixels
    assert sorted(others) == [
        ("click", "", 0, "hero", 0),
        ("click", "heat", 0, "list", 0),
        ("click", "heat", 1, "list", 0),
        ("impression", "", 0, "hero", 0),
        ("impression", "alien", 0, "list", 0),
        ("impression", "heat", 0, "list", 0),
    ]
    assert site.most_open == 1


def test_what_finds_no_room_is_sent_once_more(tmp_path: Path) -> None:
    page = PAGE.partition('<script type="module">')[0]
    with opened(page, tmp_path, (429, 204)) as site:
        found = told(site)
    assert found[:2] == [("purchase", "dune", 0, "", 12.5)] * 2
    assert found[2] == ("purchase", "dune", 1, "", 0)


def test_a_page_without_a_token_reports_nothing(tmp_path: Path) -> None:
    with opened(PAGE.replace('<template data-nearside="the-token"></template>', ""), tmp_path) as site:
        assert site.bodies == []


def test_it_is_small() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9)) < MAX_BYTES
