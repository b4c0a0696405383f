"""The search of the smallest prediction: fewer trees, measured by what it tells of each row."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import GivenError
from models.predict import recipe
from models.predict.card import split
from models.predict.smallest import bits, search_prediction
from models.predict.table import Table


def _parts(table: Table) -> tuple[Table, Table]:
    learned, kept_back = split(table, None)
    return table.where(learned), table.where(kept_back)


def test_a_forest_gets_smaller(buyers: Table) -> None:
    asked = ("forest", {"trees": 24, "leaves": 16})
    found = search_prediction("buy", asked, _parts(buyers), 0.2, lambda step, share: None)
    first = found.points[0]
    assert first.settings == {"trees": 24, "leaves": 16}
    assert 0 < first.metric < 1
    assert found.chosen.bytes < first.bytes / 2
    assert found.chosen.bound <= 0.2
    assert {point.storage for point in found.points} == {"float32"}


def test_bits_are_those_that_a_chance_tells(buyers: Table) -> None:
    known, test = _parts(buyers)
    model = recipe.train("buy", "logistic", known)
    share = float(known.labels.mean())
    sure = replace(model, reference=lambda rows: test.labels[:, np.newaxis])
    assert bits(sure, known, test).mean() == pytest.approx(
        -np.where(test.labels == 1, np.log2(share), np.log2(1 - share)).mean(), abs=1e-4
    )
    idle = replace(model, reference=lambda rows: np.full((len(rows), 1), share, np.float32))
    assert np.abs(bits(idle, known, test)).max() < 1e-5


def test_classes_are_searched_too(queries: Table) -> None:
    found = search_prediction(
        "want", ("intent", {"words": 512}), _parts(queries), 0.1, lambda step, share: None
    )
    assert found.points[0].metric > 1
    assert found.chosen.settings["words"] < 512


def test_what_tells_no_chance_or_nothing_is_refused(buyers: Table) -> None:
    known, test = _parts(buyers)
    odd = replace(test, labels=test.labels + 0.5)
    with pytest.raises(GivenError, match="a chance or of classes"):
        bits(recipe.train("buy", "logistic", known), known, odd)
    noise = replace(buyers, rows=np.random.default_rng(1).normal(size=buyers.rows.shape).astype(np.float32))
    with pytest.raises(GivenError, match="nothing to lose"):
        search_prediction("buy", ("forest", {"trees": 4}), _parts(noise), 0.1, lambda step, share: None)
