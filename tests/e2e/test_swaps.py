"""Bundles swapped under load: no request fails, and every page is personalized."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench_activation import CONNECTIONS, measure
from loadtest.bench_page import PAGE
from loadtest.workspace import build
from tests.e2e.stack import Stack, running

# 10,000 take 6 s each to compile: `make bench-activation` has those.
CAMPAIGNS = 600
SLICES, SLICE_S = 2, 1.0
# How slow is the benchmark's to judge; here it only must not come to a halt.
MOST_P99_MS = 500


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return [build(folder / str(seed), CAMPAIGNS, 200, seed) for seed in (1, 2)]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running(tmp_path / "pop", page=PAGE) as stack:
        yield stack


def test_no_request_fails_while_bundles_are_swapped(stack: Stack, bundles: list[Path]) -> None:
    revisions = [stack.publish(bundle, activate=False).number for bundle in bundles]
    quiet, swapping = measure(stack, revisions, SLICES, SLICE_S)
    assert swapping.swaps >= SLICES
    assert min(quiet.done, swapping.done) > 10 * CONNECTIONS
    assert (quiet.failed, swapping.failed) == (0, 0)
    assert (quiet.plain, swapping.plain) == (0, 0)
    assert statistics.median(swapping.p99_ms) < MOST_P99_MS
    assert stack.metric("nearside_decision_errors_total") == 0
    assert stack.status()["refusals"] == []
