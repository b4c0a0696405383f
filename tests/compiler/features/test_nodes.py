"""The graph's features are those of the lake's expressions, over pyarrow and over DuckDB, for any context."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compiler.features.nodes import FeatureNodes
from edge.bundle.features import (
    BUCKETS,
    CODE,
    CROSS,
    NUMBER,
    ONE_HOT,
    PRESENT,
    Feature,
    Features,
    flattened,
    needed,
)
from edge.decide.recommender import open_session
from edge.decide.row import RowMaker
from models.tables.features import matrix

OPSET, IR_VERSION = 18, 8
TYPES = {"text": pa.string(), "number": pa.float64(), "flag": pa.bool_()}
CLOSE = 1e-6

FEATURES = (
    Feature("device", ONE_HOT, "text", True, ("mobile", "desktop")),
    Feature("code", CODE, "text", True, ("desktop", "tv", "")),
    Feature("told", PRESENT, "text", True),
    Feature("plain", NUMBER, "number"),
    Feature("shaped", NUMBER, "number", clip=(-0.5, 1000.1), log=True, missing=2.5),
    Feature("logged", NUMBER, "number", log=True),
    Feature("there", PRESENT, "number"),
    Feature("parts", BUCKETS, "number", cuts=(-1.0, 0.1, 7.0)),
    Feature("filled", BUCKETS, "number", cuts=(0.1,), missing=0.1),
    Feature("flag", NUMBER, "flag"),
    Feature("either", CROSS, of=("device", "parts")),
    Feature("scaled", CROSS, of=("shaped", "flag")),
)
BY_NAME: Features = {feature.name: feature for feature in FEATURES}
NAMES = tuple(BY_NAME)

Row = Mapping[str, Any]


def edge(names: Sequence[str], rows: Sequence[Row]) -> NDArray[np.float32]:
    """The features as the edge has them: contexts to rows, and these through the graph."""
    nodes = FeatureNodes(names, BY_NAME)
    nodes.vector(names, "features")
    width = len(list(flattened(names, BY_NAME)))
    shapes = (("context", len(nodes.columns)), ("features", width))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n]) for name, n in shapes]
    constants = [numpy_helper.from_array(array, name) for name, array in nodes.constants.items()]
    graph = helper.make_graph(nodes.nodes, "features", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    session = open_session(model.SerializeToString())
    maker = RowMaker(nodes.columns)
    context = np.array([maker.row(row) for row in rows], np.float32)
    found: NDArray[np.float32] = session.run(None, {"context": context})[0]
    return found


def table(rows: Sequence[Row]) -> pa.Table:
    """The same contexts as a table, where a missing attribute is null."""
    return pa.table({name: pa.array([row.get(name) for row in rows], type_) for name, type_ in TYPES.items()})


def in_duckdb(found: pa.Table) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.execute("SET threads=1")
    connection.register("contexts", found)
    return connection.table("contexts")


def assert_same(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    """Equal within a millionth, of itself where it is larger than 1; missing in the same places."""
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=CLOSE, atol=CLOSE)


numbers = st.one_of(
    st.floats(width=32),
    st.floats(),
    st.sampled_from([0.1, 7.0, -1.0, 2e30, 1e30, 1000.1, -0.5, float("nan"), float("inf")]),
)
contexts = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.sampled_from(["mobile", "desktop", "tv", "", "Mobile", "é"]),
            "number": numbers,
            "flag": st.booleans(),
        },
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=25)
@given(contexts, st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
def test_edge_and_lake_have_the_same_numbers(rows: list[Row], names: list[str]) -> None:
    found = table(rows)
    lake = matrix(found, names, BY_NAME)
    assert_same(edge(names, rows), lake)
    np.testing.assert_array_equal(lake, matrix(in_duckdb(found), names, BY_NAME))


ONE: Row = {"text": "tv", "number": 7.0, "flag": True}


@pytest.mark.parametrize(
    ("name", "row", "wanted"),
    [
        ("device", {"text": "desktop"}, [0, 1]),
        ("device", {}, [0, 0]),
        ("code", ONE, [1]),
        ("code", {"text": "none of them"}, [3]),
        ("code", {}, [np.nan]),
        ("parts", ONE, [0, 0, 0, 1]),
        ("parts", {"number": 6.9}, [0, 0, 1, 0]),
        ("parts", {}, [0, 0, 0, 0]),
        ("filled", {}, [0, 1]),
        ("shaped", {}, [np.log(3.5)]),
        ("shaped", {"number": 5e9}, [np.log(1001.1)]),
        ("logged", {"number": -4.0}, [0]),
        ("logged", {}, [np.nan]),
        ("told", {}, [0]),
        ("told", ONE, [1]),
        ("scaled", {"number": 0.0, "flag": True}, [0]),
        ("scaled", {"number": 0.0}, [np.nan]),
    ],
)
def test_what_a_feature_is(name: str, row: Row, wanted: list[float]) -> None:
    np.testing.assert_allclose(edge([name], [row])[0], wanted, rtol=1e-6)
    np.testing.assert_allclose(matrix(table([row]), [name], BY_NAME)[0], wanted, rtol=1e-6)


def test_a_row_does_not_depend_on_those_beside_it() -> None:
    rows = [ONE, {}, {"text": "mobile", "number": 3.3}, {"flag": False, "number": 1e9}]
    together = edge(NAMES, rows)
    alone = np.concatenate([edge(NAMES, [row]) for row in rows])
    np.testing.assert_array_equal(together, alone)


def test_what_a_cross_needs_is_computed_and_a_column_is_read_once() -> None:
    assert [one.name for one in needed(["either"], BY_NAME)] == ["device", "either", "parts"]
    assert len(FeatureNodes(["plain", "shaped", "parts", "either"], BY_NAME).columns) == 2


def test_the_nodes_depend_on_no_order() -> None:
    one, other = (FeatureNodes(names, BY_NAME) for names in (NAMES, NAMES[::-1]))
    assert [n.SerializeToString() for n in one.nodes] == [n.SerializeToString() for n in other.nodes]
    assert one.columns == other.columns
