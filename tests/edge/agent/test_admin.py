"""The admin listener says how a PoP is."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.agent.admin import Agent, application
from edge.agent.main import build
from edge.agent.origin import Origin
from edge.agent.ship import Shipper
from edge.bundle.active import Active
from edge.errors import BundleError
from edge.settings import Settings
from tests.edge.origin_sim import SITE, TOKEN, OriginSim


class FakeControl:
    """Stands for the workers."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.connected: list[Any] = []

    def tell(self, message: dict[str, Any]) -> int:
        self.told.append(message)
        return 2

    def workers(self) -> list[Any]:
        return self.connected

    def counters(self) -> dict[str, float]:
        return {'nearside_pages_total{kind="personalized"}': 12}

    def gauges(self) -> dict[str, float]:
        return {"nearside_open_connections": 3}


@pytest.fixture
def agent(tmp_path: Path, sim: OriginSim) -> Agent:
    settings = Settings(origin="http://origin", upstream="http://site", state_dir=str(tmp_path), pop="vienna")
    built = build(settings, sim.keys(), Origin("http://origin", SITE, lambda: TOKEN, sim))
    control: Any = FakeControl()
    return Agent(**{**vars(built), "control": control})


def ask(agent: Agent, method: str, path: str, **options: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(application(agent))
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            return await client.request(method, path, **options)

    return asyncio.run(main())


def test_live_says_that_the_process_answers(agent: Agent) -> None:
    assert ask(agent, "GET", "/live").status_code == 200


def test_ready_says_what_is_missing(agent: Agent) -> None:
    answer = ask(agent, "GET", "/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == [
        "no worker is connected",
        "no bundle is active: the plain pages are served",
    ]
    agent.updater.active = Active(3, "b" * 32, 7)
    agent.control.connected.append(object())  # type: ignore[attr-defined]
    answer = ask(agent, "GET", "/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})


def test_metrics_are_the_agents_and_the_workers(agent: Agent) -> None:
    agent.refusals.add(BundleError("signature", "a reason"))
    answer = ask(agent, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'nearside_refused_total{code="signature"} 1',
        'nearside_pages_total{kind="personalized"} 12',
        "nearside_open_connections 3",
        "nearside_origin_reachable 0",
        "nearside_revision 0",
    ):
        assert line in answer.text.splitlines()


def test_status_is_all_in_one(agent: Agent) -> None:
    agent.updater.active = Active(3, "b" * 32, 7, ("hero",))
    agent.refusals.add(BundleError("signature", "a reason"))
    status = ask(agent, "GET", "/status").json()
    assert status["pop"] == "vienna"
    assert status["site"] == SITE
    assert status["active"] == {"revision": 3, "bundle": "b" * 32, "serial": 7, "kill": ["hero"]}
    assert status["refusals"][0]["code"] == "signature"
    assert status["refusals"][0]["message"] == "a reason"
    assert status["agent"]["rss_bytes"] > 1_000_000
    assert status["spool"] == {"waiting_bytes": 0, "set_aside_segments": 0}
    assert status["origin"] == {"reachable": False, "failing": {}}
    assert status["versions"]["format"] == 1


@pytest.mark.parametrize("purge", [{"all": True}, {"url": "/film/alien"}, {"key": "films"}])
def test_a_purge_reaches_the_workers(agent: Agent, purge: dict[str, Any]) -> None:
    answer = ask(agent, "POST", "/purge", json=purge)
    assert (answer.status_code, answer.json()) == (202, {"workers": 2})
    assert agent.control.told == [{"purge": purge}]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (415, {"content": b'{"all": true}'}),
        (422, {"json": {}}),
        (422, {"content": b'{"url": "\xff"}', "headers": {"content-type": "application/json"}}),
        (422, {"json": {"all": True, "url": "/"}}),
        (422, {"json": {"key": "films", "url": "/"}}),
        (422, {"json": {"path": "/"}}),
        (413, {"json": {"url": "x" * 70_000}}),
    ],
)
def test_a_purge_that_makes_no_sense_is_refused(agent: Agent, status: int, options: dict[str, Any]) -> None:
    answer = ask(agent, "POST", "/purge", **options)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "hint"}
    assert not agent.control.told  # type: ignore[attr-defined]


def test_a_purge_is_no_get(agent: Agent) -> None:
    assert ask(agent, "GET", "/purge").status_code == 405


def test_the_shipper_is_asked_for_what_waits(agent: Agent) -> None:
    assert isinstance(agent.shipper, Shipper)
    agent.shipper.waiting_bytes = 5
    assert ask(agent, "GET", "/status").json()["spool"]["waiting_bytes"] == 5
