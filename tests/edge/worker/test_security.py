"""The table of attacks in docs/security.md: made on a running worker, each gets what is told there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.worker.attacked import LiveWorker, live
from tests.edge.worker.attacks import CONSENT, ON_THE_WIRE, WELCOME
from tests.edge.worker.forgeries import MADE_UP, STATUS
from tests.workspaces.make import FILES, make_bundle

DOCS = Path(__file__).resolve().parents[3] / "docs/security.md"
SITE_YAML = FILES["site.yaml"].replace('  geo.country: {type: string, source: "header:x-geo-country"}\n', "")
RULES = """\
campaigns:
  - id: austrians
    audience: {geo.country: AT}
    placement: hero
    priority: 9
    show: {content: summer}
  - id: welcome
    placement: hero
    cap: {impressions: 255, days: 7}
    show: {content: welcome}
  - id: for-you
    placement: recommended
    show: {recommender: taste, card: film, limit: 4}
"""
CHANGES = {
    "site.yaml": SITE_YAML + "front: cloudflare\n",
    "rules/audiences.yaml": "audiences:\n  on-the-go:\n    device.type: mobile\n",
    "rules/campaigns.yaml": RULES,
}
ROW = re.compile(r"^\| (.+?) \| (?:(.+?) )?\| (.+?) \| (.+?) \|$", re.M)
ATTACKS = {**ON_THE_WIRE, **MADE_UP}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorker]:
    folder = tmp_path_factory.mktemp("attacked")
    with live(folder, make_bundle(folder / "made", CHANGES), fronts="192.0.2.0/24") as worker:
        yield worker
        assert worker.close() == 0
    assert "Traceback" not in worker.log.read_text()


def rows() -> dict[str, tuple[str, str]]:
    """What the page tells: by attack, what it got and the counter that rose."""
    table = DOCS.read_text().partition("## The table")[2].replace("`NR{", "`nearside_refused_requests_total{")
    return {name: (got, counter) for name, _, got, counter in ROW.findall(table)[2:]}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_what_the_page_tells_and_nobody_else_notices(worker: LiveWorker, name: str) -> None:
    got, counter = rows()[name]
    before = worker.counts()
    answers = ATTACKS[name].run(worker)
    after = worker.counts()
    statuses = {match[1].decode() if (match := STATUS.match(answer)) else "closed" for answer in answers}
    told = set(re.findall(r"\b\d{3}\b|closed", got))
    assert statuses <= told
    assert statuses | {"closed"} >= told  # who is closed to while sending may see no answer
    assert not any(status.startswith("5") for status in statuses - {"502", "508"})
    if counter != "none":
        counter = counter.strip("`")
        assert after.get(counter, 0) > before.get(counter, 0)
    assert not any(b"\r\nset-cookie: evil" in answer.lower() for answer in answers)
    failed = {key for key in after if "errors_total{error" in key or 'kind="failed"' in key}
    assert not failed
    page = worker.get(ATTACKS[name].after, CONSENT)
    assert page.startswith(b"HTTP/1.1 200 ")
    assert WELCOME in page
    assert b"evil" not in page
    assert b"victim" not in page


def test_every_attack_is_in_the_table_and_no_other() -> None:
    assert set(rows()) == set(ATTACKS)
