"""No skew: 10,000 logged requests, made from real data, have the same features at the edge and in the lake.

Each request is a rating of MovieLens 100K, at its instant, by a visitor whose cookie was kept; with a user
agent of uap-core, and cookies of a session of Online Shoppers. The worker's readers make the attributes, the
bundle's engine decides, the records go to Parquet, and from there pyarrow and DuckDB compute the features.
"""

import bisect
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import narwhals as nw
import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from compiler.build import compile_workspace
from compiler.features.definitions import DEFINITIONS
from compiler.features.definitions import definitions as feature_definitions
from compiler.features.tastes import make_tastes
from compiler.rules.behaviours import definitions
from compiler.types import Workspace
from compiler.workspace import read_workspace
from edge.bundle.features import flattened
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.predictor import ROWS
from edge.decide.types import Context, DecisionRecord, Event
from edge.visitor.buckets import feed
from edge.visitor.state import NEW, arrive, view
from edge.worker.active import Active
from edge.worker.attributes.facts import Request
from models.data.movielens import read_films
from models.predict.contract import Prediction
from models.tables.features import matrix
from models.tables.windows import with_behaviour
from origin.lake.feature_log import decision_table, event_table, feed_table
from origin.lake.tables import DECISIONS, to_rows, write

REQUESTS = 10_000
CLOSE = 1e-6

SESSION = {
    "Administrative": ("pages.admin", "number"),
    "ProductRelated": ("pages.product", "number"),
    "ProductRelated_Duration": ("seconds.product", "number"),
    "BounceRates in %": ("rate.bounce", "number"),
    "PageValues": ("page.value", "number"),
    "Month": ("month", "string"),
    "VisitorType": ("visitor_type", "string"),
    "Region": ("region", "string"),
    "Weekend": ("weekend", "boolean"),
}
"""Columns of Online Shoppers, and the attributes that they are."""

COOKIES = [f'  {name}: {{type: {type_}, source: "cookie:{name}"}}' for name, type_ in SESSION.values()]
SITE = """\
site: films
placements: [hero]
items: {path: "/film/{item}"}
attributes:
  taste.year: {type: number, source: "history:year"}
  taste.eighties: {type: number, source: "history:decade=1980s"}
COOKIES
behaviours:
  films-7d: {event: view, window: 7d}
  years-1d: {event: view, measure: sum, of: item.year, window: 1d}
  decades-30d: {event: view, measure: distinct, of: item.decade, window: 30d}
  since-old: {event: view, measure: recency, window: 90d, where: {item.decade: 1980s}}
""".replace("COOKIES", "\n".join(COOKIES))

FEATURES = """\
features:
  device: {attribute: device.type, one_hot: [mobile, desktop, tablet]}
  browser: {attribute: device.browser, code: [chrome, firefox, safari, edge]}
  system: {attribute: device.os, one_hot: [android, ios, windows, macos, linux]}
  hour: {attribute: time.hour, buckets: [6, 12, 18]}
  weekday: {attribute: time.weekday}
  new: {attribute: visitor.new}
  visits: {attribute: visitor.visits, log: true}
  history: {attribute: visitor.items, clip: [0, 30], log: true}
  away: {attribute: visitor.days_since_last, buckets: [1, 7, 30], missing: 400}
  was-away: {attribute: visitor.days_since_last, present: true}
  films: {attribute: behaviour.films-7d, log: true}
  years: {attribute: behaviour.years-1d, log: true}
  decades: {attribute: behaviour.decades-30d}
  old: {attribute: behaviour.since-old, clip: [0, 2160], log: true}
  mean-year: {attribute: taste.year}
  eighties: {attribute: taste.eighties, buckets: [0.1, 0.5]}
  admin: {attribute: pages.admin, missing: 0}
  products: {attribute: pages.product, buckets: [1, 5, 20, 100]}
  seconds: {attribute: seconds.product, log: true}
  bounce: {attribute: rate.bounce, clip: [0, 0.1]}
  value: {attribute: page.value, log: true, clip: [0, 50]}
  month: {attribute: month, one_hot: [Feb, Mar, May, June, Jul, Aug, Sep, Oct, Nov, Dec]}
  kind: {attribute: visitor_type, code: [New_Visitor, Returning_Visitor]}
  region: {attribute: region, present: true}
  weekend: {attribute: weekend}
  referred: {attribute: referrer.host, present: true}
  kind-by-hour: {cross: [kind, hour]}
  device-by-products: {cross: [device, products]}
  films-by-seconds: {cross: [films, seconds]}
"""


def _workspace(folder: Path, data: Path) -> Workspace:
    films = read_films(data / "ml-100k")
    rows = [f"{film.id},{film.year},{film.year // 10 * 10}s" for film in films]
    columns = re.findall(r"^  ([a-z-]+):", FEATURES, re.MULTILINE)
    width = len(list(flattened(columns, read_features(FEATURES, folder, rows).features.by_name)))
    outputs = ", ".join(f"f{n}" for n in range(width))
    model = f"recipe: mirror\ndata: site.yaml\nfeatures: [{', '.join(columns)}]\noutputs: [{outputs}]\n"
    (folder / "models").mkdir()
    (folder / "models" / "mirror.yaml").write_text(model)
    return read_workspace(folder)


def read_features(features: str, folder: Path, items: list[str]) -> Workspace:
    """The workspace before its model is there."""
    shown = "placement: hero, show: {content: a}"
    rules = f"campaigns:\n  - {{id: c, audience: {{model.mirror.f0: {{$gt: 0}}}}, {shown}}}\n"
    files = {
        "site.yaml": SITE,
        "features.yaml": features,
        "catalogs/films.csv": "\n".join(["id,year,decade", *items]) + "\n",
        "content/a.html": "<p>a</p>\n",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    found = read_workspace(folder)
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text(rules)
    return found


def _mirror(workspace: Workspace) -> Prediction:
    """A model that answers with its features, so that what the edge's graph computes can be seen."""
    (config,) = workspace.predictions
    names = tuple(flattened(config.features, workspace.features.by_name))
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(names)])
        for name in ("features", "prediction")
    ]
    nodes = [helper.make_node("Identity", ["features"], ["prediction"])]
    graph = helper.make_graph(nodes, "mirror", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    card = {"recipe": "mirror", DEFINITIONS: feature_definitions(config.features, workspace.features.by_name)}
    return Prediction("mirror", names, config.outputs, model.SerializeToString(), {}, card, lambda rows: rows)


def _agents(data: Path) -> list[bytes]:
    text = (data / "uap-core" / "tests" / "test_ua.yaml").read_text(encoding="utf-8")
    agents = re.findall(r"^  - user_agent_string: '(.*)'$", text, re.MULTILINE)
    return [agent.replace("''", "'").encode("latin-1", "replace") for agent in agents]


def _sessions(data: Path) -> list[bytes]:
    """Cookies; every seventh field is left out, as visitors do."""
    with (data / "online-shoppers" / "online_shoppers_intention.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        "; ".join(
            f"{name}={row[column]}"
            for place, (column, (name, _)) in enumerate(SESSION.items())
            if (number + place) % 7
        ).encode()
        for number, row in enumerate(rows)
    ]


def _ratings(data: Path) -> list[tuple[int, bytes, str]]:
    """Instant, visitor and film, of the first visitors, in time; no two are of the same millisecond."""
    with (data / "ml-100k" / "u.data").open(encoding="utf-8") as file:
        rows = [line.split("|")[:4] for line in file.read().splitlines()[1:]]
    found = [(int(at), int(user), item) for user, item, _, at in rows if int(user) <= 130]
    assert len(found) >= REQUESTS
    first = sorted(found)[:REQUESTS]
    place = [n - bisect.bisect_left(first, (at,)) for n, (at, _, _) in enumerate(first)]
    return [
        (at * 1000 + n, user.to_bytes(16, "big"), item)
        for n, (at, user, item) in zip(place, first, strict=True)
    ]


def _served(engine: Engine, data: Path) -> Iterator[tuple[DecisionRecord, Event]]:
    """Each request as a worker takes it, with the cookie that the visitor's last answer left."""
    active = Active(engine)
    agents, sessions = _agents(data), _sessions(data)
    states: dict[bytes, Any] = {}
    for number, (now_ms, visitor, item) in enumerate(_ratings(data)):
        headers = {b"user-agent": agents[number % len(agents)], b"cookie": sessions[number]}
        request = Request(f"/film/{item}", b"", headers)
        request.now_ms, request.tier, at_s = now_ms, "full", now_ms // 1000
        request.before = states.get(visitor, NEW)
        state = view(arrive(request.before, at_s, visitor), item)
        fed = engine.behaviours.fed_by(request.path, engine.items.find(item.encode()))
        known = engine.behaviours.by_name.values()
        counted = feed(state.behaviours, fed, known, at_s)
        states[visitor] = request.state = msgspec.structs.replace(state, behaviours=counted)
        attributes = active.reader.attributes(request)
        context = Context(request.now_ms, number, "full", attributes, state.items, ("hero",))
        id_ = f"{number:032x}"
        slots = engine.decide(context).slots
        record = DecisionRecord(id_, "films", "pop", engine.id, 1, "", (), visitor.hex(), context, slots)
        yield record, Event(id_, "view", item, 0, "", visitor.hex(), request.now_ms)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Workspace:
    return _workspace(tmp_path_factory.mktemp("skew") / "workspace", data_dir)


@pytest.fixture(scope="module")
def engine(workspace: Workspace) -> Engine:
    out = workspace.folder.parent / "bundle"
    compile_workspace(workspace, {}, out, {"mirror": _mirror(workspace)})
    return Engine.load(open_bundle(out, "films"))


@pytest.fixture(scope="module")
def logged(engine: Engine, data_dir: Path, workspace: Workspace) -> tuple[list[DecisionRecord], list[Event]]:
    """The records as they come back from Parquet, and the events."""
    served = list(_served(engine, data_dir))
    encoded = [(record, msgspec.msgpack.encode(record)) for record, _ in served]
    path = workspace.folder.parent / "decisions.parquet"
    write(path, DECISIONS, to_rows(encoded, "pop")[DECISIONS])
    decoder = msgspec.msgpack.Decoder(DecisionRecord)
    records = [decoder.decode(row) for row in pq.read_table(path, columns=["record"])["record"].to_pylist()]
    return records, [event for _, event in served]


def _edge(engine: Engine, records: list[DecisionRecord]) -> NDArray[np.float32]:
    """The numbers that the bundle's graph makes of what each request was decided by."""
    predictor = engine._predictor
    assert predictor is not None
    rows = [tuple(predictor._maker.row(record.context.attributes)) for record in records]
    turns = [predictor.answers(rows[at : at + ROWS], {}) for at in range(0, len(rows), ROWS)]
    return np.array([answer for turn in turns for (answer,) in turn], np.float32)


def test_the_edge_and_the_lake_have_the_same_features(
    workspace: Workspace, engine: Engine, logged: tuple[list[DecisionRecord], list[Event]]
) -> None:
    records, _ = logged
    (config,) = workspace.predictions
    features = workspace.features.by_name
    types = {a.name: a.type for a in workspace.site.attributes if a.name in engine.reads}
    table = decision_table(records, types)
    edge = _edge(engine, records)
    lake = matrix(table, config.features, features)
    assert edge.shape == lake.shape == (REQUESTS, len(config.outputs))
    np.testing.assert_array_equal(np.isnan(edge), np.isnan(lake))
    np.testing.assert_allclose(edge, lake, rtol=CLOSE, atol=CLOSE)
    connection = duckdb.connect()
    connection.execute("SET threads=1")
    connection.register("decisions", table)
    np.testing.assert_array_equal(lake, matrix(connection.table("decisions"), config.features, features))
    # Numbers of all kinds are there, and some are missing.
    names = list(flattened(config.features, features))
    varied = [len(np.unique(column[~np.isnan(column)])) for column in lake.T]
    constant = [name for name, count in zip(names, varied, strict=True) if count < 2]
    assert constant == ["referred"]
    assert 0.001 < np.isnan(lake).mean() < 0.5


def test_means_of_histories_that_were_not_logged_are_those_of_the_history(
    workspace: Workspace, logged: tuple[list[DecisionRecord], list[Event]]
) -> None:
    records, _ = logged
    types = {"taste.year": "number", "taste.eighties": "number"}
    bare = [
        msgspec.structs.replace(one, context=msgspec.structs.replace(one.context, attributes={}))
        for one in records
    ]
    told = decision_table(bare, types, make_tastes(workspace.site, workspace.catalog))
    assert told.select(list(types)).equals(decision_table(records, types).select(list(types)))


@pytest.mark.parametrize("name", ["films-7d", "years-1d", "decades-30d", "since-old"])
def test_what_was_not_logged_is_told_from_the_events_before(
    name: str, workspace: Workspace, logged: tuple[list[DecisionRecord], list[Event]]
) -> None:
    records, events = logged
    behaviour = next(one for one in definitions(workspace.site.behaviours) if one.name == name)
    happened = event_table([*events, *events[:50]])
    tables = (decision_table(records, {}), happened, feed_table(workspace, behaviour))
    rows, happened, feeds = map(nw.from_native, tables)
    told = with_behaviour(rows, happened, behaviour, feeds).sort("id")
    attribute = f"behaviour.{name}"
    wanted = [record.context.attributes[attribute] for record in records]
    np.testing.assert_allclose(told[attribute].to_numpy(), np.array(wanted, np.float64), rtol=0, atol=CLOSE)
    assert len({*wanted}) > 5
