"""Audiences that are lists, from a file of ids to the page."""

from pathlib import Path

import numpy as np
import pytest

from edge.bundle.arrays import Array
from edge.bundle.format import Attribute, RulesSchema
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.fuse import Fuse
from edge.errors import BundleError
from edge.worker.attributes.facts import AttributeReader
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle

VIP = b"v" * 16
SITE_YAML = (
    FILES["site.yaml"].replace("items:", '  account: {type: string, source: "cookie:account"}\nitems:')
    + "audiences:\n"
    + "  vip: {list: lists/vip.csv, by: visitor.id}\n"
    + "  partners: {list: lists/partners.txt, by: account}\n"
)
RULES = """\
campaigns:
  - id: for-vip
    audience: vip
    placement: hero
    show: {content: app}
  - id: for-others
    audience: {audience.partners: false, audience.vip: {$ne: true}}
    placement: hero
    show: {content: welcome}
"""
CHANGES = {
    "site.yaml": SITE_YAML,
    "rules/campaigns.yaml": RULES,
    "lists/vip.csv": f"id\n{VIP.hex().upper()}\n\n{'0' * 32}\n",
    "lists/partners.txt": '"acme"\r\nzürich & co\r\n',
}


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = make_bundle(tmp_path_factory.mktemp("listing"), CHANGES)
    return Engine.load(open_bundle(folder, SITE))


@pytest.fixture
def worker(tmp_path: Path, listing: Engine) -> Worker:
    return Worker(tmp_path, listing)


@pytest.mark.parametrize(
    ("cookie", "campaigns"),
    [
        ("consent=full; {vip}", ["for-vip"]),
        ("consent=session; {vip}", ["for-others"]),
        ("consent=contextual; {vip}", ["for-others"]),
        ("consent=full; {stranger}", ["for-others"]),
        ("consent=full; account=acme", []),
        ("consent=contextual; account=acme", []),
        ("account=other", ["for-others"]),
        ("account=", ["for-others"]),
        ("", ["for-others"]),
    ],
)
def test_who_is_on_a_list(worker: Worker, cookie: str, campaigns: list[str]) -> None:
    vip, stranger = worker.cookie(visitor=VIP), worker.cookie(visitor=b"s" * 16)
    worker.get(headers={"cookie": cookie.format(vip=vip, stranger=stranger)})
    (record,) = worker.decisions()
    assert [slot.policy for slot in record.slots] == campaigns
    assert record.context.attributes["audience.vip"] is (campaigns == ["for-vip"])


def test_a_list_that_no_rule_reads_is_not_asked(tmp_path: Path) -> None:
    rules = RULES.split("  - id: for-others", maxsplit=1)[0]
    folder = make_bundle(tmp_path / "bundle", {**CHANGES, "rules/campaigns.yaml": rules})
    worker = Worker(tmp_path, Engine.load(open_bundle(folder, SITE)))
    worker.get(headers={"cookie": "consent=full; account=acme"})
    assert list(worker.decisions()[0].context.attributes) == ["audience.vip"]


def test_a_list_that_is_not_there_is_refused_by_name() -> None:
    for source in ("list:visitor.id", "list:nobody"):
        schema = RulesSchema((Attribute("audience.vip", "boolean", source),), (), ())
        with pytest.raises(BundleError, match=r"audience\.vip"):
            AttributeReader(schema, ("audience.vip",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", [0, 3, 1]),
        ("shape", [0, 0, 1]),
        ("shape", [0, 8, 0]),
        ("shape", [0, 8, 2**60]),
        ("shape", [0, 2**62, 1]),
        ("shape", [0, 8]),
        ("prints", [1, 2, 3]),
        ("prints", None),
    ],
)
def test_a_malformed_filter_is_refused(name: str, value: list[int] | None) -> None:
    good: dict[str, Array] = {
        "shape": np.array([0, 8, 1], "<u8"),
        "prints": np.zeros(24, "<u2"),
    }
    assert "x" not in Fuse(good)
    bad = {**good}
    if value is None:
        del bad[name]
    else:
        bad[name] = np.array(value, good[name].dtype)
    with pytest.raises(BundleError) as caught:
        Fuse(bad)
    assert caught.value.code == "lists"
