"""Contexts are read from the columns of interactions, or from a file of users."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge.bundle.features import CODE, NUMBER, ONE_HOT, Feature
from edge.errors import GivenError
from models.data.interactions import Interactions, read
from models.tables.labelled import MadeFrom
from models.tables.viewed import with_contexts

FEATURES = {
    "age": Feature("age", NUMBER, "fact.age"),
    "country": Feature("country", ONE_HOT, "geo.country", text=True, categories=("AT", "DE")),
    "device": Feature("device", CODE, "device.type", text=True, categories=("mobile", "desktop")),
}
TYPES = {"fact.age": "number", "geo.country": "string", "device.type": "string"}
VIEWS = """\
user,item,timestamp,geo.country,device.type
1,a,10,AT,mobile
2,gone,11,DE,desktop
1,b,12,DE,tv

2,a,13,,
"""
USERS = "user,fact.age,name\n1,33,Ann\n3,44,Bob\n"


def _made(*names: str) -> MadeFrom:
    return MadeFrom(names, FEATURES, TYPES)


def _read(path: Path, users: Path | None, *names: str) -> Interactions:
    return with_contexts(read(path, ("a", "b")), path, users, _made(*names))


@pytest.fixture
def views(tmp_path: Path) -> Path:
    path = tmp_path / "views.csv"
    path.write_text(VIEWS, encoding="utf-8")
    return path


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.write_text(USERS, encoding="utf-8")
    return path


def test_each_view_has_what_was_known_then_and_each_user_what_holds(views: Path, users: Path) -> None:
    found = _read(views, users, "country", "age", "device")
    assert found.contexts is not None
    assert found.contexts.names == ("country=AT", "country=DE", "age", "device")
    assert found.contexts.codes == (0, 0, 0, 3)
    wanted = [[1, 0, 33, 0], [0, 1, 33, 2], [0, 0, np.nan, np.nan]]
    assert np.array_equal(found.contexts.rows, np.array(wanted, np.float32), equal_nan=True)
    assert len(found) == 3
    part = found.where(found.items == 1)
    assert part.contexts is not None
    assert part.contexts.rows.shape == (1, 4)
    assert found.digest() != read(views, ("a", "b")).digest()


def test_parquet_is_read_the_same(views: Path, tmp_path: Path) -> None:
    table = pa.table(
        {
            "user": [1, 2, 1, 2],
            "item": ["a", "gone", "b", "a"],
            "timestamp": [10, 11, 12, 13],
            "device.type": ["mobile", "desktop", "tv", None],
        }
    )
    path = tmp_path / "views.parquet"
    pq.write_table(table, path)
    one, other = (_read(each, None, "device").contexts for each in (views, path))
    assert one is not None
    assert other is not None
    assert np.array_equal(one.rows, other.rows, equal_nan=True)


def test_what_nobody_tells_is_an_error(views: Path, users: Path, tmp_path: Path) -> None:
    with pytest.raises(GivenError, match=r"views.csv: no column 'fact.age'.*name a file of users"):
        _read(views, None, "age")
    users.write_text("user,name\n1,Ann\n", encoding="utf-8")
    with pytest.raises(GivenError, match=r"users.csv.*fact.age"):
        _read(views, users, "age")
    users.write_text(USERS + "1,34,Ann\n", encoding="utf-8")
    with pytest.raises(GivenError, match="user '1' is there twice"):
        _read(views, users, "age")
