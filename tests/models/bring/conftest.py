"""Real sessions of a shop, and models that other people's libraries fitted on them."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

TEXTS = ("Month", "VisitorType")
NUMBERS = ("Administrative", "Administrative_Duration", "ProductRelated", "ProductRelated_Duration",
           "BounceRates in %", "ExitRates in %", "PageValues", "TrafficType")  # fmt: skip
FEATURES = (*NUMBERS, *TEXTS)
ROWS = 4_000


@dataclass(frozen=True, eq=False)
class Sessions:
    """Sessions of the online-shoppers data, in an order of no meaning.

    `texts` are rows as a data scientist has them, `rows` the same with codes in the place of words.
    """

    texts: NDArray[Any]
    rows: NDArray[np.float64]
    bought: NDArray[np.int64]
    words: dict[str, tuple[str, ...]]


@pytest.fixture(scope="session")
def sessions(data_dir: Path) -> Sessions:
    path = data_dir / "online-shoppers" / "online_shoppers_intention.csv"
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    chosen = [read[place] for place in np.random.default_rng(5).permutation(len(read))[:ROWS]]
    words = {name: tuple(sorted({row[name] for row in chosen})) for name in TEXTS}
    texts = np.array(
        [[float(row[name]) for name in NUMBERS] + [row[name] for name in TEXTS] for row in chosen], object
    )
    rows = texts.copy()
    for name, known in words.items():
        column = FEATURES.index(name)
        rows[:, column] = [known.index(word) for word in texts[:, column]]
    bought = np.array([row["Revenue"] == "TRUE" for row in chosen], np.int64)
    return Sessions(texts, rows.astype(np.float64), bought, words)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
