"""People who look at bundles are told what purposes change, and what a visitor did not grant."""

import json
from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from origin.diff.bundles import diff
from origin.explain.inspection import decide_file
from tests.workspaces.make import FILES, SITE, make_bundle

POLICY = "consent: {cookie: consent, purposes: {taste: {}}}"
CONSENTING = {
    "site.yaml": FILES["site.yaml"].replace("consent: {cookie: consent, default: contextual}", POLICY),
    "models/taste.yaml": FILES["models/taste.yaml"] + "purposes: taste\n",
    "rules/more.yaml": """\
campaigns:
  - id: offer
    placement: hero
    priority: 50
    purposes: [taste, store]
    show: {content: app}
""",
}


@pytest.fixture(scope="module")
def consenting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("consenting"), CONSENTING)


def _explained(bundle: Path, folder: Path, **given: object) -> str:
    file = folder / "context.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    return decide_file(bundle, file, explained=True)


def test_what_was_not_granted_is_named(consenting: Path, tmp_path: Path) -> None:
    told = _explained(consenting, tmp_path, purposes=[], history=["heat"])
    assert "offer, priority 50: no, the visitor did not grant store and taste" in told
    assert "recommender taste: without the visitor's history, as they did not grant taste" in told

    told = _explained(consenting, tmp_path, purposes=["taste", "store"])
    assert "offer, priority 50: wins" in told
    assert "recommender taste: without" not in told


def test_a_history_that_is_withheld_changes_what_a_model_lists(consenting: Path, tmp_path: Path) -> None:
    def items(*purposes: str, history: tuple[str, ...] = ()) -> list[str]:
        file = tmp_path / "context.json"
        file.write_text(json.dumps({"purposes": purposes, "history": history}), encoding="utf-8")
        slots = json.loads(decide_file(consenting, file))["slots"]
        (found,) = [slot["items"] for slot in slots if slot["placement"] == "recommended"]
        return list(found)

    assert items("taste", history=("heat",)) != items("taste")
    assert items(history=("heat",)) == items("taste") == items()


def test_what_changes_is_told(consenting: Path, tmp_path: Path) -> None:
    plain = make_bundle(tmp_path)
    told = diff(open_bundle(plain, SITE), open_bundle(consenting, SITE))

    assert "purpose taste: (none) → tier full" in told.changes["site"]
    assert "purposes of recommender taste: (none) → taste" in told.changes["models"]
