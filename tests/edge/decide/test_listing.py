"""A batch gets the lists that each of its contexts would get alone."""

from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from tests.workspaces.make import FILES, SITE, make_bundle

CONSENT = "consent: {cookie: consent, purposes: {taste: {}}}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A model that may use a history only of those who granted it."""
    site = FILES["site.yaml"].replace("consent: {cookie: consent, default: contextual}", CONSENT)
    files = {"site.yaml": site, "models/taste.yaml": FILES["models/taste.yaml"] + "purposes: taste\n"}
    folder: Path = make_bundle(tmp_path_factory.mktemp("listing"), files)
    return Engine.load(open_bundle(folder, SITE))


def _context(placement: str, *granted: str) -> Context:
    return Context(0, 0, "full", {}, ("alien",), (placement,), granted=granted)


@pytest.mark.parametrize("cold", [True, False])
def test_visitors_of_one_history_and_other_grants_share_a_batch(engine: Engine, cold: bool) -> None:
    batch = [
        _context("recommended", "taste"),
        _context("hero"),  # of the same history, which it neither needs nor may use
        _context("recommended"),
        _context("hero", "taste"),
    ]
    for some in (batch[:2], batch[1:3], batch):
        alone = [engine.decide(context) for context in some]
        if cold:
            engine.forget()
        assert engine.decide_batch(some) == alone
    first, _, withheld, _ = engine.decide_batch(batch)
    assert first.slots[0].items != withheld.slots[0].items
