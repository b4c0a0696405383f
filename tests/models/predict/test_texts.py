"""Intents and headlines: what was learned from words."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from edge.decide import words
from edge.errors import GivenError
from models.predict import recipe
from models.predict.linear import shares_of_classes
from models.predict.table import Table
from models.predict.text import pairs_of_tests

QUERIES = np.zeros(2, np.float32)


def test_a_query_that_nobody_made_has_an_intent(queries: Table) -> None:
    model = recipe.train("intent", "intent", queries)
    found = model.reference(words.rows(["SNEAKERS", "loud speakers please", "Brie"], model.width))
    assert model.outputs == ("shoes", "sound", "Käse")
    assert model.names_winner
    assert [model.outputs[place] for place in found.argmax(axis=1)] == ["shoes", "sound", "Käse"]
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_weights_of_classes_are_the_librarys(queries: Table) -> None:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    rows = csr_matrix(words.rows(queries.texts, 256), dtype=np.float64)
    labels = queries.labels.astype(np.int64)
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(rows, labels).predict_proba(rows)
    ours = shares_of_classes(rows, labels, np.ones(len(labels)), 3, 1.0)
    margins = rows @ ours[:-1] + ours[-1]
    shares = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    assert np.abs(shares - theirs).max() < 1e-3


def test_a_promised_secret_wins(headlines: Table) -> None:
    model = recipe.train("ctr", "text", headlines)
    texts = ["The secret of the plumber", "A plumber again", "Plumber report, part 2"]
    first, second, third = model.reference(words.rows(texts, model.width))[:, 0]
    assert first > second > third
    assert first > 0.5 > third


def test_pairs_are_of_one_test_and_count_by_their_views() -> None:
    rates = np.array([0.02, 0.04, 0.02, 0.02, 0.04], np.float32)
    views = np.array([100, 100, 5, 9000, 9000], np.float32)
    table = Table.of_texts("h", tuple("abcde"), rates, weights=views, groups=np.array([1, 1, 2, 3, 3]))
    pairs = list(pairs_of_tests(table))
    assert [pair[:2] for pair in pairs] == [(0, 1), (3, 4)]
    assert pairs[1][2] < pairs[0][2] < 0


@pytest.mark.parametrize(
    ("name", "table", "settings", "said"),
    [
        ("intent", Table(("q",), np.zeros((2, 1), np.float32), QUERIES), {}, "reads texts"),
        ("intent", Table.of_texts("q", ("a", "b"), QUERIES), {}, "at least two"),
        ("intent", Table.of_texts("q", ("a", "b"), QUERIES + 5, classes=("x", "y")), {}, "at least two"),
        (
            "intent",
            Table.of_texts("q", ("a", "b"), QUERIES, classes=("x", "y")),
            {"words": 9},
            "more than 16",
        ),
        ("text", Table.of_texts("q", ("a", "b"), QUERIES), {}, "a group column of tests"),
        (
            "text",
            Table.of_texts("q", ("a", "b"), QUERIES + 2, groups=np.zeros(2, np.int64)),
            {},
            "from 0 to 1",
        ),
        ("text", Table.of_texts("q", ("a", "b"), QUERIES, groups=np.arange(2)), {}, "there is no pair"),
    ],
)
def test_what_has_no_words_or_classes_is_refused(
    name: str, table: Table, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(GivenError, match=said):
        recipe.train("m", name, table, settings)
