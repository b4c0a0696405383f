"""docs/attributes.md: every example in it is run."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from compiler.catalog.content import read_contents
from compiler.catalog.holes import FILTERS
from compiler.problems import Problems
from compiler.site import BUILT_IN, GEO
from compiler.workspace import read_workspace
from edge.bundle.format import Attribute, RulesSchema
from edge.decide.holes import fill
from edge.visitor.buckets import BODY_BYTES, HEAD_BYTES
from edge.visitor.events import EventState
from edge.visitor.state import VisitorState
from edge.worker.attributes.body import attributes_of_body
from edge.worker.attributes.facts import AttributeReader, Request
from edge.worker.attributes.locator import Locator
from edge.worker.attributes.place import FRONTS
from edge.worker.beside.routes import Ask
from tests.workspaces.make import make_workspace

PAGE = (Path(__file__).resolve().parents[2] / "docs/attributes.md").read_text(encoding="utf-8")
EVERYONE = "campaigns: [{id: welcome, placement: hero, show: {content: welcome}}]\n"
ROW = re.compile(r"\| `([a-z._]+)` \| (string|strings|number|boolean) \| .* \| `(.+)` \| `(.+)` \|")
BUILT_IN_PART = PAGE[: PAGE.index("## Attributes of your own")]
EXAMPLES = [match.groups() for match in map(ROW.fullmatch, BUILT_IN_PART.splitlines()) if match]


@dataclass
class Given:
    """A request as an example writes it."""

    front: str = "none"
    now_ms: int = 0
    last_s: int = 0
    visits: int = 1
    path: str = "/"
    query: bytes = b""
    items: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()
    headers: dict[bytes, bytes] = field(default_factory=dict)

    def take(self, said: str) -> None:
        word, _, rest = said.partition(" ")
        if word == "GET":
            self.path, _, query = rest.partition("?")
            self.query = query.encode()
        elif word in ("now", "last"):
            seconds = int(datetime.fromisoformat(rest).timestamp())
            self.now_ms, self.last_s = (
                (seconds * 1000, self.last_s) if word == "now" else (self.now_ms, seconds)
            )
        elif word == "items":
            self.items = tuple(rest.split())
        elif word == "bought":
            self.bought = tuple(rest.split())
        elif word == "visits":
            self.visits = int(rest)
        elif word == "front":
            self.front = rest
        else:
            assert word.endswith(":"), said
            self.headers[word[:-1].lower().encode()] = rest.encode()

    def request(self) -> Request:
        request = Request(self.path, self.query, self.headers, "127.0.0.1")
        request.now_ms, request.tier = self.now_ms, "full"
        request.state = VisitorState(visits=self.visits, last_s=self.now_ms // 1000, items=self.items)
        request.events = EventState(bought=self.bought)
        request.before = VisitorState(visits=self.visits, last_s=self.last_s, items=self.items)
        return request


@pytest.mark.parametrize(("name", "kind", "given", "value"), EXAMPLES, ids=[row[0] for row in EXAMPLES])
def test_an_example_holds(name: str, kind: str, given: str, value: str) -> None:
    said = Given()
    for part in given.split("; "):
        said.take(part)
    attributes = tuple(
        Attribute(known, type_, f"front:{said.front}" if known in GEO else "builtin")
        for known, type_ in sorted(BUILT_IN.items())
    )
    believing = Locator((ip_network("127.0.0.0/8"),))
    reader = AttributeReader(RulesSchema(attributes, (), ()), (name,), locator=believing)
    wanted: Any = json.loads(value)
    assert reader.attributes(said.request()) == {name: wanted}
    assert BUILT_IN[name] == kind


OWN = re.compile(
    r"\| `([a-z._]+)` \| (string|number|boolean) \| .* \| `((?:GET|POST|[A-Z][\w-]+:) .+)` \| `(.+)` \|"
)
OWN_PART = PAGE[PAGE.index("## Attributes of your own") :]
OWNED = [match.groups() for match in map(OWN.fullmatch, OWN_PART.splitlines()) if match]


@pytest.mark.parametrize(("name", "kind", "asked", "value"), OWNED, ids=[row[0] for row in OWNED])
def test_an_attribute_of_your_own_is_as_said(
    name: str, kind: str, asked: str, value: str, tmp_path: Path
) -> None:
    (declared,) = re.findall(r"```yaml\n(.*?)```", OWN_PART, re.DOTALL)
    site = f"site: films\nplacements: [hero]\nitems: {{path: '/film/{{item}}'}}\n{declared}"
    files = {"site.yaml": site, "rules/audiences.yaml": None, "rules/campaigns.yaml": EVERYONE}
    attributes = read_workspace(make_workspace(tmp_path, files)).site.attributes
    wanted: Any = json.loads(value)
    assert {a.name: a.type for a in attributes}[name] == kind
    if asked.startswith("POST "):
        body = json.loads(asked.removeprefix("POST "))
        assert attributes_of_body(attributes, (name,), body) == {name: wanted}
        return
    said = Given()
    said.take(asked)
    assert AttributeReader(RulesSchema(attributes, (), ()), (name,)).attributes(said.request()) == {
        name: wanted
    }


def test_every_own_attribute_of_the_page_has_its_line() -> None:
    (declared,) = re.findall(r"```yaml\n(.*?)```", OWN_PART, re.DOTALL)
    assert [row[0] for row in OWNED] == re.findall(r"^  ([a-z._]+):", declared, re.MULTILINE)


def test_what_an_app_sends_can_be_read() -> None:
    (sent,) = re.findall(r"```json\n(.*?)```", OWN_PART, re.DOTALL)
    assert msgspec.json.decode(sent, type=Ask).body == {"cart": {"total": 79.5}, "app": {"beta": True}}


HOLE = re.compile(r"\| .*? \|(?: [^|]* \|)? `(<.+>)` \| (?:`(.+)` )?\| `(<.+>)` \|")
HOLES = [match.groups() for match in map(HOLE.fullmatch, PAGE.splitlines()) if match]


@pytest.mark.parametrize(("text", "value", "shown"), HOLES)
def test_a_hole_shows_what_is_said(text: str, value: str | None, shown: str, tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "a.html").write_text(text, encoding="utf-8")
    (content,) = read_contents(tmp_path, Problems())
    attributes = {} if value is None else {hole.attribute: value for hole in content.holes}
    assert fill(content.body, content.holes, attributes).decode() == shown


def test_every_filter_has_its_example() -> None:
    assert len(HOLES) == 9
    assert [name for name in FILTERS if f"| `{name}` | " not in PAGE] == []


def test_every_built_in_attribute_has_its_example() -> None:
    assert sorted(row[0] for row in EXAMPLES) == sorted(BUILT_IN)


def test_a_workspace_of_all_examples_compiles(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    site = "site: films\nplacements: [hero]\nitems: {path: '/film/{item}'}\n"
    declared = [block.removeprefix("attributes:\n") for block in blocks if block.startswith("attributes:")]
    others = [block for block in blocks if "behaviour.sci-fi-views:" not in block]
    site += "".join(block for block in others if not block.startswith("attributes:"))
    site += "attributes:\n" + "".join(declared)
    audiences = next(block for block in blocks if "behaviour.sci-fi-views:" in block)
    names = re.findall(r"^  ([a-z-]+):", audiences, re.MULTILINE)
    campaigns = "".join(
        f"  - {{id: {name}, audience: {name}, placement: hero, show: {{content: app}}}}\n" for name in names
    )
    changes = {
        "site.yaml": site,
        "rules/audiences.yaml": audiences,
        "lists/vip.csv": f"id\n{'0' * 32}\n",
        "rules/campaigns.yaml": f"campaigns:\n{campaigns}",
        "catalogs/films.csv": "id,title,genre,minutes,price\nalien,Alien,crime,117,3\n",
    }
    workspace = read_workspace(make_workspace(tmp_path, changes))
    assert len(workspace.site.behaviours) == 5
    assert len(workspace.campaigns) == len(names) == 2


def test_the_costs_of_measures_are_as_stated() -> None:
    for measure, size in BODY_BYTES.items():
        assert re.search(rf"\| `{measure}` \|.*\| {size + HEAD_BYTES} \|", PAGE), measure


def test_every_front_has_its_headers() -> None:
    for front, headers in FRONTS.items():
        names = [headers[name].decode() for name in ("geo.country", "geo.region", "geo.city", "geo.timezone")]
        assert f"| `{front}` | " + " | ".join(f"`{name}`" for name in names) + " |" in PAGE
