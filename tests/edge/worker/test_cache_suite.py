"""The public HTTP cache suite, through the worker: every required case, and how many of the optimal ones."""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any, Final

import pytest

from edge.proxy.store import Store
from edge.worker.app import PageApp
from edge.worker.beside.routes import make_beside
from edge.worker.site.cache import SharedCache
from edge.worker.turn.turn import Turn
from tests.edge.worker.cache_case import Script, UnmetError, run
from tests.edge.worker.conftest import MAX_KEPT_BYTES, MAX_PAGE_BYTES, Worker

EXCEPTIONS: Final[dict[str, str]] = {}
"""Required cases that do not pass, each with the reason. Left out are those for browsers' own caches."""
OPTIMAL_LEFT: Final = {
    "method-POST": "what an unsafe method answers is not kept: it is for who sent it",
    "other-authorization-must-revalidate": "requests with Authorization go past the cache",
    "partial-store-partial-reuse-partial": "parts are not kept; a whole response answers ranges",
    "partial-store-partial-reuse-partial-byterange": "parts are not kept",
    "partial-store-partial-reuse-partial-suffix": "parts are not kept",
    "status-400-fresh": "a request that is odd on purpose would take the page from everybody",
    "vary-normalise-lang-select": "to choose a language is the site's affair",
}
"""Optimal ones, likewise."""


def cases_of(suites_dir: Path) -> list[dict[str, Any]]:
    suites = json.loads((suites_dir / "http-cache/cases.json").read_text())
    return [case for suite in suites for case in suite["tests"] if not case.get("browser_only")]


def unmet(worker: Worker, case: dict[str, Any]) -> str:
    """Why a case does not pass; empty if it does."""
    case = copy.deepcopy(case)

    async def play() -> None:
        script = Script(case, worker.clock, worker.clock())
        cache = SharedCache(Store(1 << 20), worker.clock, (), MAX_KEPT_BYTES)
        turn = Turn(worker.holder, worker.desk)
        app = PageApp(script, cache, turn, make_beside(worker.holder, worker.desk), MAX_PAGE_BYTES)  # type: ignore[arg-type]
        await run(worker, app, case, script)

    try:
        asyncio.run(play())
    except UnmetError as error:
        return str(error)
    return ""


def test_all_required_cases_pass(
    worker: Worker, suites_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed: dict[str, dict[str, str]] = {"required": {}, "optimal": {}, "check": {}}
    counted = dict.fromkeys(failed, 0)
    for case in cases_of(suites_dir):
        kind = case.get("kind", "required")
        counted[kind] += 1
        if reason := unmet(worker, case):
            failed[kind][case["id"]] = reason
    with capsys.disabled():
        told = [f"{kind} {counted[kind] - len(failed[kind])}/{counted[kind]}" for kind in failed]
        print(f"\nhttp-cache: {', '.join(told)}")
    assert set(failed["required"]) == set(EXCEPTIONS), failed["required"]
    assert set(failed["optimal"]) == set(OPTIMAL_LEFT), failed["optimal"]
