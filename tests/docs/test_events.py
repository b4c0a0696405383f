"""docs/events.md: all its examples are one workspace that compiles, and its figures are those of the code."""

import json
import re
from pathlib import Path

import pytest

from edge.agent.metrics import HELP
from edge.bundle.reader import open_bundle
from edge.decide.behaviours import MAX_LAST
from edge.decide.caps import MAX_LIMIT, PAGE_KINDS
from edge.decide.engine import Engine
from edge.settings import Settings
from edge.visitor.buckets import MAX_BYTES
from edge.visitor.events import MAX_CAPS_BYTES, MAX_REPORTED
from edge.worker.beside.reports import MAX_PAGE_EVENTS, MAX_VALUE
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle

PAGE = (Path(__file__).resolve().parents[2] / "docs/events.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
YAML = [text for kind, text in BLOCKS if kind == "yaml"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The small workspace with all that the page adds."""
    site = "".join(text for text in YAML if text.startswith(("events:", "behaviours:")))
    rules = [text for text in YAML if text.startswith(("audiences:", "campaigns:"))]
    assert len(rules) == 3
    changes = {f"rules/doc{number}.yaml": text for number, text in enumerate(rules)}
    folder = make_bundle(
        tmp_path_factory.mktemp("events"), {"site.yaml": FILES["site.yaml"] + site, **changes}
    )
    return Engine.load(open_bundle(folder, SITE))


def test_the_examples_are_a_workspace(engine: Engine) -> None:
    assert engine.kinds == {"cart", "purchase", "signup", "wishlist"}
    assert set(engine.behaviours.by_name) >= {
        "sci-fi",
        "bought",
        "spent",
        "left-cart",
        "click-rate",
        "seen",
        "reading",
    }
    assert set(engine.caps.of) == {"teaser", "survey"}


def test_an_app_states_what_it_counted(engine: Engine, tmp_path: Path) -> None:
    worker = Worker(tmp_path, engine)
    (ask,) = [json.loads(text) for kind, text in BLOCKS if kind == "json"]

    def hero(**changes: object) -> str:
        asked = {**ask, "attributes": {**ask["attributes"], **changes}}
        answer = worker.post("/_nearside/decide", asked)
        assert answer.status == 200, answer.body
        return {slot["placement"]: slot["campaign"] for slot in answer.json["slots"]}["hero"]

    assert hero() == "teaser"
    assert hero(**{"cap.teaser.7d": 3}) == "welcome"
    assert hero(**{"cap.teaser.click": 100.5}) == "welcome"
    read = worker.decisions()[0].context.attributes
    assert read == {"cap.teaser.7d": 1, "consent.tier": "full"} | read


def test_the_figures_are_those_of_the_code() -> None:
    for said in (
        f"up to {MAX_LAST:,}.", f"0 to {MAX_VALUE:,.0f}", f"{MAX_PAGE_EVENTS} events of one page",
        f"{MAX_LIMIT} impressions at most", f"{MAX_BYTES} bytes", f"caps {MAX_CAPS_BYTES}:",
        f"last {MAX_REPORTED} events", f"at most {MAX_REPORTED} events", "for two hours",
        f"{PAGE_KINDS['dwell']:,} at most",
    ):  # fmt: skip
        assert said in PAGE, said
    assert Settings.token_lifetime_s == 7200
    assert "nearside_refused_events_total" in HELP
