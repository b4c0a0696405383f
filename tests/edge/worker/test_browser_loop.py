"""A cap in a real browser: page, script, report, cookie, and the page after it."""

import asyncio
import socket
from pathlib import Path

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.worker.app import PageApp
from edge.worker.beside import make_beside
from edge.worker.main import make_server
from edge.worker.turn import Turn
from edge.worker.upstream import Upstream
from tests.edge.worker.chromium import TIMEOUT_S, command
from tests.edge.worker.conftest import Worker
from tests.edge.worker.raw_site import RawSite, ok, serving
from tests.workspaces.make import FILES, SITE, make_bundle

RULES = """\
campaigns:
  - id: teaser
    placement: hero
    priority: 9
    cap: {impressions: 2, days: 7}
    show: {content: app}
  - id: often
    placement: hero
    show: {content: welcome}
"""
INNER = b"""<!doctype html><div data-placement="hero">the default</div>
<script src="/_nearside/n.js" defer></script>"""
OUTER = b"""<!doctype html><body><img src="/slow"><script>
(async () => {
  const shown = [];
  for (let turn = 0; turn < 4; turn++) {
    const frame = document.createElement("iframe");
    frame.src = "/page";
    document.body.append(frame);
    await new Promise((loaded) => { frame.onload = loaded; });
    shown.push(frame.contentDocument.querySelector("[data-placement=hero]").textContent.trim().slice(0, 4));
    await new Promise((later) => setTimeout(later, 600));
    frame.remove();
  }
  document.title = shown.join(" ");
})();
</script>"""
LOADING_S = 5.0


class SlowSite(RawSite):
    """Keeps the browser waiting for one picture, as it leaves once all is loaded."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pause_s = 0
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard.append(head)
        path = head.split(b" ")[1]
        await asyncio.sleep(LOADING_S if path == b"/slow" else 0)
        writer.write(self.answers.get(path, ok(b"none")))
        writer.close()


async def browse(worker: Worker, site: RawSite, folder: Path) -> str:
    """The page's source as the browser has it in the end."""
    launch = command(folder)
    async with serving(site) as url:
        upstream = Upstream(url, 10)
        beside = make_beside(worker.holder, worker.desk)
        app = PageApp(upstream, worker.cache, Turn(worker.holder, worker.desk), beside, 1 << 20)
        server = make_server(app)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            page = f"http://127.0.0.1:{listening.getsockname()[1]}/outer"
            process = await asyncio.create_subprocess_exec(
                *launch, page, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            source, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
            return source.decode()
        finally:
            server.drain()
            await task
            await upstream.close()


def test_a_campaign_rests_in_a_real_browser_once_it_was_seen_so_often(tmp_path: Path) -> None:
    site = FILES["site.yaml"].replace("default: contextual", "default: full")
    folder = make_bundle(tmp_path / "bundle", {"site.yaml": site, "rules/campaigns.yaml": RULES})
    worker = Worker(tmp_path, Engine.load(open_bundle(folder, SITE)))
    html = b"content-type: text/html\r\n"
    pages = SlowSite({b"/page": ok(INNER, html), b"/outer": ok(OUTER, html)})
    source = asyncio.run(browse(worker, pages, tmp_path))
    assert "<title>Take Take Welc Welc</title>" in source
    events = [(event.kind, event.item) for event in worker.events()]
    assert events == [("impression", "app")] * 2 + [("impression", "welcome")] * 2
    assert worker.count('nearside_reported_events_total{outcome="counted"}') == 4
