"""A real browser before the real processes: what a visitor clicks is in the origin's lake."""

import asyncio
from pathlib import Path

from edge.decide.types import Event
from origin.lake import reader as lake
from tests.e2e.stack import SITE, Stack, running, until
from tests.edge.worker.live import SlowSite, source_of
from tests.edge.worker.raw_site import serving
from tests.workspaces.make import FILES, make_bundle

PAGE = """\
<!doctype html><html lang=en><head><title>Films</title>
<script src="/_nearside/n.js" defer></script></head><body>
<section data-placement="hero"><h1>Films</h1></section>
<ul data-placement="recommended"><li>All films</li></ul>
<img src="SLOW/slow" width="1" height="1">
<script type="module">
if (location.pathname === "/") document.querySelector("[data-placement=recommended] [data-item]").click();
else document.title = "arrived";
</script>
</body></html>
"""
"""Leads to the first item of the list, which is another page of the same kind."""


def clicked(stack: Stack) -> list[Event]:
    return [event for event in lake.events(stack.data, SITE) if event.kind == "click"]


def test_a_click_on_a_card_is_in_the_lake(tmp_path: Path) -> None:
    site = FILES["site.yaml"].replace("default: contextual", "default: full")
    bundle = make_bundle(tmp_path / "bundle", {"site.yaml": site})

    async def browse() -> None:
        async with serving(SlowSite({})) as slow:
            with running(tmp_path / "pop", page=PAGE.replace("SLOW", slow)) as stack:
                stack.wait_revision(stack.publish(bundle).number)
                source = await source_of(stack.edge_url + "/", tmp_path)
                assert "<title>arrived</title>" in source
                check(stack)

    asyncio.run(browse())


def check(stack: Stack) -> None:
    """Assert that the lake has the click once, on what its page showed, and the visit that it led to."""
    until("the click is in the lake", lambda: clicked(stack))
    until("all of the spools is with the origin", stack.all_committed)
    (click,) = clicked(stack)
    decisions = {record.id: record for record in lake.decisions(stack.data, SITE)}
    shown = {slot.placement: slot for slot in decisions[click.decision].slots}
    assert click.placement == "recommended"
    assert click.item == shown["recommended"].items[0]
    (view,) = [event for event in lake.events(stack.data, SITE) if event.kind == "view"]
    assert (view.item, view.visitor) == (click.item, decisions[click.decision].visitor)
    assert view.decision != click.decision
    told = [event.kind for event in lake.events(stack.data, SITE) if event.decision == click.decision]
    assert told.count("dwell") == told.count("scroll") == 1
