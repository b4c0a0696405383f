"""A cap in a real browser: page, script, report, cookie, and the page after it."""

import asyncio
from pathlib import Path

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from tests.edge.worker.conftest import Worker
from tests.edge.worker.live import SlowSite, listening, source_of
from tests.edge.worker.raw_site import ok, serving
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


class LongSite(SlowSite):
    """Keeps the browser until all four pages were seen."""

    loading_s = LOADING_S


async def browse(worker: Worker, site: SlowSite, folder: Path) -> str:
    """The page's source as the browser has it in the end."""
    async with serving(site) as url, listening(worker, url) as edge:
        return await source_of(edge + "/outer", folder)


def test_a_campaign_rests_in_a_real_browser_once_it_was_seen_so_often(tmp_path: Path) -> None:
    site = FILES["site.yaml"].replace("default: contextual", "default: full")
    folder = make_bundle(tmp_path / "bundle", {"site.yaml": site, "rules/campaigns.yaml": RULES})
    worker = Worker(tmp_path, Engine.load(open_bundle(folder, SITE)))
    html = b"content-type: text/html\r\n"
    pages = LongSite({b"/page": ok(INNER, html), b"/outer": ok(OUTER, html)})
    source = asyncio.run(browse(worker, pages, tmp_path))
    assert "<title>Take Take Welc Welc</title>" in source
    events = [(event.kind, event.item) for event in worker.events() if event.kind == "impression"]
    assert events == [("impression", "app")] * 2 + [("impression", "welcome")] * 2
    assert worker.count('nearside_reported_events_total{outcome="counted"}') >= 4
