"""What differs between two pages is found, and so is what must not differ."""

import io
from pathlib import Path

import pytest

from compiler.workspace import Workspace, read_workspace
from edge.decide.types import Context, DecisionRecord, Slot
from origin.demo import gallery
from origin.demo.compared import Difference, describe, differences, same_outside
from origin.demo.told import Told
from origin.demo.visits import Visit
from origin.demo.workspace_files import lay_down

PLAIN = b'<p>a</p><div data-placement="hero"><h2>Own</h2></div><p>b</p><ul data-placement="trending"></ul>c'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return read_workspace(lay_down(tmp_path_factory.mktemp("workspace"), None).folder)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (b"<h2>Own</h2>", b"<h2>New</h2>\n<p>b</p>", True),
        (b"", b"", True),
        (b"<p>a", b"<p>A", False),
        (b"<p>b", b"<p>B", False),
        (b"c", b"c ", False),
        (b'="hero"', b'="hero" class="x"', False),
    ],
)
def test_bytes_outside_of_placements(old: bytes, new: bytes, same: bool) -> None:
    assert same_outside(PLAIN, PLAIN.replace(old, new) if old else PLAIN) is same


def test_differences_name_the_campaign_and_its_reason(workspace: Workspace) -> None:
    attributes = {"device.type": "mobile", "geo.country": "DE", "consent.tier": "contextual"}
    slot = Slot("hero", "evening-on-the-phone", content="hero-feierabend")
    context = Context(0, 0, "contextual", attributes, (), ("hero", "trending"))
    record = DecisionRecord("1", "films", "p", "b", 1, "", (), "", context, (slot,))
    page = PLAIN.replace(b"Own", b"Feierabend &amp; <b>Film</b>")
    (found,) = differences(PLAIN, Visit("x", "somebody", page), record, workspace)
    assert (found.placement, found.before, found.after) == ("hero", "Own", "Feierabend & Film")
    assert found.campaign == "evening-on-the-phone"
    assert "geo.country: {$in: [DE, AT]}" in found.reason
    assert "device.type = mobile, geo.country = DE" in found.reason
    assert "consent.tier" not in found.reason


def test_films_are_listed_by_name() -> None:
    cards = b"".join(b'<li><span class="name">R&amp;D %d</span></li>' % n for n in range(5))
    assert describe(cards) == "R&D 0, R&D 1, R&D 2 and 2 more"
    assert describe(b"<p>?</p>") == "something else"


def test_saved_pages_are_exact_and_open_from_the_disk(tmp_path: Path) -> None:
    page = (
        b'<link rel="stylesheet" href="/static/site.css"><script src="/_nearside/n.js" defer></script>'
        b'<img src="/poster/1.svg" alt=""><p>"quoted"</p>'
    )
    asked: list[str] = []

    def fetch(path: str) -> bytes:
        asked.append(path)
        return b"<svg/>" if path.endswith("svg") else b"p{color:red}"

    visits = [Visit("one", "<somebody>", page), Visit("two", "else", page)]
    compared = gallery.save(visits, tmp_path, fetch).read_text()
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes() == page
    assert sorted(asked) == ["/poster/1.svg", "/static/site.css"]
    assert "p{color:red}" in compared
    assert "n.js" not in compared
    assert "<somebody>" not in compared
    assert "/poster/" not in compared


def test_what_is_told_is_plain_text_when_piped() -> None:
    stream = io.StringIO()
    told = Told(stream)
    with told.step("Train") as step:
        step.done("[red]ease[/red]")
    told.differences("somebody", [Difference("hero", "[b]own[/b]", "other", "c", "because")])
    told.command("curl " + "x" * 300, "long")
    told.check("it holds", holds=False)
    text = stream.getvalue()
    assert "\x1b" not in text
    assert "✓ Train: [red]ease[/red] (" in text
    assert "[b]own[/b]" in text
    assert "$ curl " + "x" * 300 in text
    assert "DOES NOT HOLD: it holds" in text
