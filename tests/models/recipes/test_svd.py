"""PureSVD on tastes that are its directions."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from edge.errors import GivenError
from models import recipe
from models.data.interactions import Interactions
from models.recipes.svd import directions


def test_each_taste_is_a_direction(tastes: Interactions) -> None:
    model = recipe.train("s", "svd", tastes, {"factors": 4})
    assert model.arrays["out"].shape == (4, 32)
    known = np.array([[model.items.index(item) for item in ("g2-0", "g2-1", "g2-2")]], np.int32)
    scores = model.score(known, np.ones(known.shape, np.float32))[0]
    best = [model.items[position] for position in np.argsort(-scores) if position not in known][:5]
    assert {item[:2] for item in best} == {"g2"}


def test_factors_are_the_singular_vectors() -> None:
    used = scipy.sparse.random_array((30, 12), density=0.4, rng=np.random.default_rng(1), format="csr")
    _, _, wanted = np.linalg.svd(used.toarray())
    for count in (3, 12):
        found, sizes = directions(used, count)
        assert (np.diff(sizes) <= 0).all()
        assert np.allclose(found @ found.T, wanted[:count].T @ wanted[:count])
        assert (np.take_along_axis(found, np.abs(found).argmax(axis=0)[np.newaxis], axis=0) > 0).all()


def test_weak_directions_count_less(tastes: Interactions) -> None:
    shrunk, plain = (recipe.train("s", "svd", tastes, {"factors": 6, "shrinkage": share}) for share in (1, 0))
    history, weight = np.arange(32, dtype=np.int32).reshape(32, 1), np.ones((32, 1), np.float32)
    own = [np.diag(model.score(history, weight)) for model in (shrunk, plain)]
    assert (own[0] > 0).all()
    assert (own[0] < own[1]).all()


def test_what_nobody_viewed_is_listed_by_its_texts_where_there_are_any(tastes: Interactions) -> None:
    titled = replace(tastes, item_columns={"title": tuple(item[:2] for item in tastes.item_ids)})
    new = titled.item_ids.index("g2-7")
    titled = titled.where(titled.items != new)
    known = np.array([[titled.item_ids.index(item) for item in ("g2-0", "g2-1", "g2-2")]], np.int32)
    for data, is_listed in ((titled, True), (replace(titled, item_columns={}), False)):
        model = recipe.train("s", "svd", data, {"factors": 4})
        scores = model.score(known, np.ones(known.shape, np.float32))[0]
        others = [place for place, item in enumerate(model.items) if not item.startswith("g2")]
        assert (scores[new] > scores[others].max()) == is_listed


def test_a_column_that_is_not_there_is_named(tastes: Interactions) -> None:
    with pytest.raises(GivenError, match="no column 'titel'; did you mean 'title'"):
        recipe.train("s", "svd", tastes, {"columns": "titel"})
