"""A visitor of a running edge is told what is known, obeyed, and the same through new keys and facts."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from edge.visitor.cookie import CookieBox
from edge.worker.renewal import raw
from origin.commands.root import app
from tests.e2e.stack import Stack, running, until
from tests.workspaces.make import FILES, make_bundle

TOLD: Mapping[str, str] = {
    "site.yaml": FILES["site.yaml"]
    .replace("attributes:\n", "attributes:\n  visitor.segment: {type: string, source: fact:segment}\n")
    .replace('"/film/{item}"}', '"/film/{item}", title: title, topics: genre}'),
    "rules/facts.yaml": """\
campaigns:
  - id: loyal
    audience: {visitor.segment: loyal}
    placement: hero
    priority: 90
    show: {content: app}
""",
}
PAGE = (
    '<!doctype html><div data-placement="hero">hero</div><section data-placement="recommended">list</section>'
)
APP = "Take films along"
WAIT_S = 10.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("told"), TOLD)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running(tmp_path / "pop", page=PAGE, workers=1) as stack:
        yield stack


def _visitor(stack: Stack, client: httpx.Client) -> str:
    sealed = client.cookies["nearside"].encode()
    return CookieBox(stack.edge_keys.site, raw(stack.edge_keys.cookie)).open(sealed).visitor.hex()


def test_a_visitor_is_told_and_obeyed_and_stays_who_they_are(
    stack: Stack, bundle: Path, tmp_path: Path
) -> None:
    stack.wait_revision(stack.publish(bundle).number)
    with httpx.Client(base_url=stack.edge_url, cookies={"consent": "full"}) as client:
        client.get("/film/alien")
        assert 'data-item="fargo"' in client.get("/").text
        me = client.get("/_nearside/me?page=/").text
        assert "Alien" in me and "campaign “for-you”" in me
        token = re.findall(r'name="token" value="([^"]+)"', me)[0]
        done = client.post("/_nearside/me", data={"token": token, "do": "mute-topic crime", "page": "/"})
        assert done.status_code == 303
        assert 'data-item="fargo"' not in client.get("/").text

        visitor, keys = _visitor(stack, client), stack.folder / "keys/edge.json"
        rotated = CliRunner().invoke(app, ["keys", "rotate", str(keys)])
        assert rotated.exit_code == 0, rotated.output
        taken = 'nearside_renewals_total{what="keys",outcome="taken"}'
        until("new keys", lambda: stack.metric(taken) >= 1, WAIT_S)
        client.get("/")
        assert client.cookies["nearside"]
        newest = raw(stack.edge_keys.cookie)[:1]
        sealed = client.cookies["nearside"].encode()
        assert CookieBox(stack.edge_keys.site, newest).open(sealed).visitor.hex() == visitor

        assert APP not in client.get("/").text
        (tmp_path / "facts.csv").write_text(f"visitor,segment\n{visitor},loyal\n")
        made = ["facts", str(tmp_path / "facts.csv"), "-o", str(stack.folder / "facts"), "--keys", str(keys)]
        assert CliRunner().invoke(app, made).exit_code == 0
        until("new facts", lambda: APP in client.get("/").text, WAIT_S)
        assert "what the site told about you" in client.get("/_nearside/me").text
    assert APP not in httpx.get(stack.edge_url, cookies={"consent": "full"}).text
