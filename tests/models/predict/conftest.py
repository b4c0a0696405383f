"""Rows whose answers are obvious, with values missing."""

from collections import defaultdict

import numpy as np
import pytest

from models.predict.table import Table

FEATURES = ("strong", "weak", "often-missing", "noise")


@pytest.fixture(scope="session")
def buyers() -> Table:
    """Who buys: more with `strong`, a little more with `weak`, and more where `often-missing` is missing."""
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(600, len(FEATURES)))
    absent = draw.random(len(rows)) < 0.3
    margin = 2 * rows[:, 0] + 0.4 * rows[:, 1] + 1.5 * absent - 0.5
    labels = draw.random(len(rows)) < 1 / (1 + np.exp(-margin))
    rows[absent, 2] = np.nan
    return Table(
        FEATURES,
        rows.astype(np.float32),
        labels.astype(np.float32),
        groups=np.arange(len(rows)) // 6,
        treatment=draw.random(len(rows)) < 0.5,
    )


@pytest.fixture(scope="session")
def queries() -> Table:
    """What people search for, in three classes that share no words."""
    draw = np.random.default_rng(4)
    kinds = {
        "shoes": "boot sneaker heel sole lace",
        "sound": "headphone speaker radio bass",
        "Käse": "gouda brie",
    }
    labels = draw.integers(0, 3, 150)
    names = [list(kinds.values())[label].split() for label in labels.tolist()]
    texts = tuple(f"{draw.choice(name)} {draw.choice(name)} cheap" for name in names)
    return Table.of_texts("query", texts, labels.astype(np.float32), classes=tuple(kinds))


@pytest.fixture(scope="session")
def headlines() -> Table:
    """Tests of three headlines each, of which those win that promise a secret."""
    draw = np.random.default_rng(5)
    things = ["cat", "dog", "house", "river", "teacher", "pilot", "baker"]
    texts, rates = [], []
    for _ in range(60):
        thing = str(draw.choice(things))
        texts += [f"The secret of the {thing}", f"A {thing} again", f"{thing.title()} report, part 2"]
        rates += [0.05, 0.03, 0.02]
    return Table.of_texts(
        "headline",
        tuple(texts),
        np.array(rates, np.float32) + draw.normal(scale=0.002, size=len(rates)).astype(np.float32),
        weights=np.full(len(rates), 3000, np.float32),
        groups=np.arange(len(rates)) // 3,
    )


@pytest.fixture(scope="session")
def tables(buyers: Table, queries: Table, headlines: Table) -> dict[str, Table]:
    """A table that each recipe can learn from; `buyers` for all that are not named."""
    return defaultdict(lambda: buyers, {"intent": queries, "text": headlines})
