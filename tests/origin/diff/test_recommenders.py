"""`nearside diff` tells what changes about recommenders, and how many items their filters let in."""

from pathlib import Path

from edge.bundle.reader import Bundle, open_bundle
from origin.diff.bundles import diff
from tests.workspaces import shop
from tests.workspaces.make import SITE
from tests.workspaces.shop import shop_engine

TEXT = """\
model: taste
fallback: popular
only: [{where: {item.stock: {$gt: 0}}}]
boost: [{where: {item.brand: acme}, times: 1.5}]
"""


def _bundle(folder: Path, text: str, changes: dict[str, str | None] | None = None) -> Bundle:
    shop_engine(folder, text, changes)
    return open_bundle(folder / "bundle", SITE)


def test_each_part_is_told(tmp_path: Path) -> None:
    before = _bundle(tmp_path / "before", TEXT)
    text = TEXT.replace("fallback: popular", "fallback: [also, popular]").replace("times: 1.5", "times: 3")
    more = (
        "pin: [{item: i03, at: 2}]\nexplore: {slot: 2, share: 0.1}\nchallenger: {model: also, share: 0.5}\n"
    )
    after = _bundle(tmp_path / "after", text + more)
    found = diff(before, after).changes
    assert found["recommenders"] == [
        "models of recommender mine: taste (from 1 viewed item, with 1 item), popular (from 0 viewed items,"
        " with 1 item) → taste (from 1 viewed item, with 1 item), also (from 1 viewed item, with 1 item),"
        " popular (from 0 viewed items, with 1 item)",
        "boosts of recommender mine: item.brand acme times 1.5 → item.brand acme times 3",
        "pins of recommender mine: (none) → i03 at 2",
        "exploring of recommender mine: (none) → place 2, in 0.1 of decisions, of 50",
        "challenger of recommender mine: (none) → also, in 0.5 of decisions",
    ]
    assert not any("mine:" in line for line in found["models"])
    assert "recommenders" not in diff(after, after).changes


def test_new_stock_is_told_in_items(tmp_path: Path) -> None:
    before = _bundle(tmp_path / "before", TEXT)
    catalog = shop.CATALOG.replace("Item 7,horror|satire,best,0", "Item 7,horror|satire,best,1")
    assert catalog != shop.CATALOG
    after = _bundle(tmp_path / "after", TEXT, {"catalogs/films.csv": catalog})
    assert diff(before, after).changes["recommenders"] == [
        "recommender mine may list 1 item that it might not, and not 0 that it might"
    ]
    assert before.manifests["models"] == after.manifests["models"]


def test_one_that_comes_or_goes_is_told(tmp_path: Path) -> None:
    before = _bundle(tmp_path / "before", TEXT)
    rules = "campaigns:\n  - {id: a, placement: recommended, show: {recommender: popular, card: film}}\n"
    after = _bundle(tmp_path / "after", TEXT, {"rules/campaigns.yaml": rules})
    assert diff(before, after).changes["recommenders"] == ["recommender mine removed"]
    assert diff(after, before).changes["recommenders"] == ["recommender mine added"]
