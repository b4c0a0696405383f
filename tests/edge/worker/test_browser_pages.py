"""Pages in a real browser, through the edge and beside it: nothing moves or flickers, scripts or not."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Decision
from tests.edge.worker.conftest import Worker
from tests.edge.worker.live import SlowSite, listening, source_of
from tests.edge.worker.raw_site import ok, serving
from tests.workspaces.make import FILES, SITE, make_bundle

HTML = b"content-type: text/html\r\n"
WATCH = b"""<script>
window.moved = 0;
window.changes = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => { moved += entry.value; }))
  .observe({ type: "layout-shift", buffered: true });
addEventListener("DOMContentLoaded", () => {
  const watch = new MutationObserver((found) => { changes += found.length; });
  for (const place of document.querySelectorAll("[data-placement]")) {
    watch.observe(place, { childList: true, subtree: true, characterData: true });
  }
});
addEventListener("load", () => {
  document.title = "moved " + moved.toFixed(3) + " changes " + changes;
});
</script>"""
BODY = b"""<h1>Films</h1>
<div data-placement="hero"><p>the site's own</p></div>
<ul data-placement="recommended"><li>all films</li></ul>
<p>after</p><img src="/slow" width="1" height="1">"""
DOC = (Path(__file__).resolve().parents[3] / "docs/beside.md").read_text(encoding="utf-8")
CSS, SCRIPT = re.findall(r"```(?:css|html)\n(.*?)```", DOC, re.DOTALL)[:2]
RESERVED = f"<style>{CSS}</style>".encode()
"""As the page on this tells sites to write it."""


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    site = FILES["site.yaml"].replace("default: contextual", "default: session")
    return Worker(tmp_path, Engine.load(open_bundle(make_bundle(tmp_path / "b", {"site.yaml": site}), SITE)))


def title(source: str) -> str:
    found = re.search(r"<title>(.*?)</title>", source)
    assert found, source
    return found[1]


def through_the_edge(worker: Worker, page: bytes, folder: Path) -> str:
    """What a browser makes of a page of the site."""

    async def browse() -> str:
        async with serving(SlowSite({b"/": ok(page, HTML)})) as site, listening(worker, site) as edge:
            return await source_of(edge + "/", folder)

    return asyncio.run(browse())


def beside_the_edge(worker: Worker, style: bytes, folder: Path, body: bytes = BODY) -> str:
    """What a browser makes of a page that only asks the edge."""

    async def browse() -> str:
        site = SlowSite({})
        async with serving(site) as url, listening(worker, url, [url]) as edge:
            script = SCRIPT.replace("https://edge.films.example", edge).encode()
            page = b"<!doctype html><title></title>" + style + WATCH + script + body
            site.answers = {b"/film/dune": ok(page, HTML)}
            return await source_of(url + "/film/dune", folder)

    return asyncio.run(browse())


def test_a_personalized_page_neither_moves_nor_flickers(worker: Worker, tmp_path: Path) -> None:
    script = b'<script src="/_nearside/n.js" defer></script>'
    page = b"<!doctype html><title></title>" + script + WATCH + BODY
    source = through_the_edge(worker, page, tmp_path)
    assert "Welcome to" in source
    assert "the site's own" not in source
    assert title(source) == "moved 0.000 changes 0"
    assert {event.kind for event in worker.events()} >= {"impression", "dwell", "scroll"}


def test_the_watch_sees_a_page_that_moves(worker: Worker, tmp_path: Path) -> None:
    late = b"""<script>addEventListener("DOMContentLoaded", () => setTimeout(() => {
      document.querySelector("[data-placement]").innerHTML = "<div style='height: 300px'>late</div>";
    }, 500));</script>"""
    source = through_the_edge(worker, b"<!doctype html><title></title>" + WATCH + late + BODY, tmp_path)
    found = re.fullmatch(r"moved (\S+) changes (\d+)", title(source))
    assert found
    assert float(found[1]) > 0
    assert int(found[2]) > 0


def test_a_page_works_with_scripts_off(tmp_path: Path) -> None:
    """A frame without scripts; none can tell what it sees, so pictures do."""
    changes = {"content/welcome.html": '<p>Welcome <img src="/ours" alt="" width="1" height="1"></p>'}
    folder = make_bundle(tmp_path / "bundle", changes)
    worker = Worker(tmp_path, Engine.load(open_bundle(folder, SITE)))
    script = b"""<script>new Image().src = "/script";</script>"""
    own = BODY.replace(b"the site's own", b"""<img src="/own" width="1" height="1">""")
    frame = b"""<!doctype html><iframe sandbox src="/page"></iframe><img src="/slow">"""
    site = SlowSite({b"/": ok(frame, HTML), b"/page": ok(b"<!doctype html>" + script + own, HTML)})

    async def browse() -> None:
        async with serving(site) as url, listening(worker, url) as edge:
            await source_of(edge + "/", tmp_path)

    asyncio.run(browse())
    asked = {head.split(b" ")[1] for head in site.heard}
    assert asked >= {b"/page", b"/ours", b"/slow"}
    assert not asked & {b"/own", b"/script"}


def test_a_page_beside_the_edge_is_filled_and_does_not_move(worker: Worker, tmp_path: Path) -> None:
    source = beside_the_edge(worker, RESERVED, tmp_path)
    assert "Welcome to" in source
    assert 'class="card"' in source
    assert title(source).startswith("moved 0.000 ")
    (decision,) = worker.decisions()
    assert (decision.teaches, decision.visitor, decision.context.tier) == (False, "", "session")
    assert {event.kind for event in worker.events()} >= {"impression", "dwell", "scroll"}
    assert {event.visitor for event in worker.events()} == {""}


def test_a_page_that_reserves_nothing_keeps_its_own(worker: Worker, tmp_path: Path) -> None:
    source = beside_the_edge(worker, b"", tmp_path)
    assert "the site's own" in source
    assert title(source) == "moved 0.000 changes 0"
    assert not worker.records()


def test_an_answer_that_is_late_is_not_shown(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = Engine.decide

    def slow(*given: Any) -> Decision:
        time.sleep(0.8)
        return decide(*given)

    monkeypatch.setattr(Engine, "decide", slow)
    source = beside_the_edge(worker, RESERVED, tmp_path)
    assert len(worker.decisions()) == 1
    assert "the site's own" in source
    assert title(source) == "moved 0.000 changes 0"
    assert not worker.events()


def test_what_does_not_fit_into_its_place_is_not_shown(worker: Worker, tmp_path: Path) -> None:
    style = RESERVED.replace(b"height: 12rem;", b"")
    body = BODY.replace(b"the site's own", b"one<br>two<br>three")
    source = beside_the_edge(worker, style, tmp_path, body)
    assert "one<br>two<br>three" in source
    assert "Welcome to" not in source
    assert title(source).startswith("moved 0.000 ")
    assert "welcome" not in {event.item for event in worker.events()}
