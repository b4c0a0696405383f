"""The requests and answers of the page on apps are what a worker takes and gives."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import SITE, make_bundle

PAGE = (Path(__file__).resolve().parents[2] / "docs/apps.md").read_text()
ASK, ANSWER, BEACON, FLAGS = (
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
)


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    bundle = make_bundle(tmp_path / "bundle", {})
    return Worker(tmp_path / "spool", Engine.load(open_bundle(bundle, SITE)))


def _shape(document: Any) -> Any:
    """A document without what a page leaves out with "…"."""
    if isinstance(document, dict):
        return {
            name: _shape(value)
            if name not in ("decision", "bundle", "token", "html", "items")
            else type(value)
            for name, value in document.items()
        }
    return [_shape(part) for part in document] if isinstance(document, list) else document


def test_a_decision_is_asked_for_and_answered_as_written(worker: Worker) -> None:
    answer = worker.post("/_nearside/decide", ASK)
    assert answer.status == 200
    assert _shape(answer.json) == _shape(ANSWER)
    beacon = {**BEACON, "token": answer.json["token"]}
    assert worker.post("/_nearside/events", beacon).status == 204


def test_flags_are_asked_for_as_written(worker: Worker) -> None:
    answer = worker.post("/ofrep/v1/evaluate/flags", FLAGS)
    flags = {flag["key"]: flag for flag in answer.json["flags"]}
    assert flags["hero"]["value"]["content"] == "app"
    assert set(flags["recommended"]["value"]) == {"campaign", "html", "recommender", "items"}
